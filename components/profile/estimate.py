"""Estimates time and size of a first run by measured rates."""

from __future__ import annotations

from dataclasses import dataclass

# Two CPU cores, docs/measured.md: BBC News (2,225 articles, 5.0 million characters) and 20
# Newsgroups (18,846 messages, docs/your-data.md).
_FIXED_SECONDS = 30.0  # start of the stages, evaluation, rehearsal
_SCRUBBED = 500_000.0  # characters a second by two processes
_LINEAR = 5_000_000.0  # characters times classes a second
_NETWORKS = {"textcnn": 0.0002, "transformer": 0.0005, "bilstm": 0.001, "pretrained": 0.0004}
_WORD_CHARACTERS = 6  # of a word and its space
_BUNDLE_MB = {"linear": 4, "textcnn": 14, "bilstm": 7, "transformer": 5, "pretrained": 100}
_STORED = 1.2  # bytes on disk for each character: the compressed tables of three stages
_TRAINED = 0.7  # share of the documents on the training side


@dataclass(frozen=True)
class RunEstimate:
    """Estimated cost of a run whose first candidate passes the gate.

    Attributes:
        seconds: on two CPU cores.
        data_mb: megabytes below data/.
        bundle_mb: megabytes of the model.
    """

    seconds: float
    data_mb: float
    bundle_mb: float


def estimate(
    documents: int, characters: int, classes: int, candidate: str, words: int, workers: int = 2
) -> RunEstimate:
    """Multiplies measured rates by the size of the data.

    Args:
        documents, characters: of all texts.
        classes: number of classes.
        candidate: architecture that is trained first.
        words: words of a document that it reads.
        workers: scrubbing processes.
    """
    seconds = _FIXED_SECONDS + characters / (_SCRUBBED / 2 * workers)
    if candidate in _NETWORKS:
        read = min(characters / _WORD_CHARACTERS, documents * words)
        seconds += read * _TRAINED * _NETWORKS[candidate]
    else:
        seconds += characters * _TRAINED * classes / _LINEAR
    return RunEstimate(seconds, characters * _STORED / 1e6, _BUNDLE_MB.get(candidate, 20))


def duration(seconds: float) -> str:
    """Formats an estimate of time coarsely.

    >>> duration(50), duration(140), duration(8000)
    ('about 1 minute', 'about 2 minutes', 'about 2.2 hours')
    """
    minutes = max(1, round(seconds / 60))
    if minutes < 90:  # noqa: PLR2004
        return f"about {minutes} minute{'s' if minutes > 1 else ''}"
    return f"about {seconds / 3600:.1f} hours"
