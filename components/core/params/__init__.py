"""params.yaml -> frozen typed settings. An unknown or ill-typed key is an error, not a surprise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from components.core.errors import ParamsError
from components.core.params.architectures import (
    BiLstm,
    Candidate,
    Ensemble,
    Linear,
    Network,
    Pretrained,
    Single,
    TextCnn,
    Transformer,
)
from components.core.params.base import (
    Positive,
    Rate,
    Settings,
    Share,
)
from components.core.params.challenger import Challenger
from components.core.params.fitting import Fitting, Hardware
from components.core.params.gate import Gate
from components.core.params.monitoring import Alerts, Governor
from components.core.params.sources import Limits, Source
from components.core.params.tune import Tune

# What others import from here, though it is defined beside.
__all__ = [
    "Alerts", "BiLstm", "Candidate", "Gate", "Governor", "Limits", "Network", "Params", "Positive",
    "Rate", "Settings", "Share", "Source", "TextCnn", "load", "parse",
]  # fmt: skip


class Scrub(Settings):
    entities: Annotated[
        dict[str, Literal["mask", "pseudonym", "keep", "drop"]], Field(min_length=1)
    ]
    min_score: Share
    tagger_threshold: Annotated[float, Field(gt=0, lt=1)]
    workers: Positive
    batch: Positive


class Stream(Settings):
    rows: Positive
    characters: Positive
    compression: Literal["zstd", "lz4", "none"]
    remember: Literal["always", "persons", "never"]
    attempts: Positive
    cluster_seconds: Rate


class Ingest(Settings):
    labels: Annotated[list[str], Field(min_length=2)]
    sources: Annotated[list[Source], Field(min_length=1)]
    limits: Limits
    scrub: Scrub
    stream: Stream

    @model_validator(mode="before")
    @classmethod
    def limited(cls, values: Any) -> Any:
        """Gives `limits` to each source; what a source says itself stays."""
        if not isinstance(values, dict):
            return values
        common, sources = values.get("limits"), values.get("sources")
        if not (isinstance(common, dict) and isinstance(sources, list)):
            return values
        return {**values, "sources": [_limited(source, common) for source in sources]}

    @model_validator(mode="after")
    def unique(self) -> Ingest:
        names = [source.name for source in self.sources]
        if len(set(names)) < len(names):
            raise ValueError(f"source names must differ, got {names}")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels must differ, got {self.labels}")
        return self


def _limited(source: Any, common: dict[str, Any]) -> Any:
    own = source.get("limits", {}) if isinstance(source, dict) else None
    if not isinstance(own, dict):
        return source  # its own check says what is wrong
    # First, because messages show the beginning of a wrong entry, and addresses may hold keys.
    return {"limits": {**common, **own}, **{k: v for k, v in source.items() if k != "limits"}}


class Validate(Settings):
    min_documents: Positive
    min_class_documents: Annotated[int, Field(ge=3)]
    min_characters: Positive
    max_characters: Positive
    max_bad_share: Share
    languages: list[str]
    language_characters: Positive
    language_score: Share
    damaged: Literal["quarantine", "mend"]
    damage_marks: Positive
    max_duplicate_share: Share
    max_source_share: Share
    max_volume_loss: Share
    max_volume_growth: Annotated[float, Field(ge=1)]
    max_class_shift: Share
    class_shift_level: Annotated[float, Field(gt=0, lt=1)]
    max_label_noise: Share
    noise_class_documents: Positive
    noise_documents: Positive
    max_age_days: Rate | None


class Split(Settings):
    by: Literal["content", "time"]
    validation_share: Annotated[float, Field(gt=0, lt=0.5)]
    test_share: Annotated[float, Field(gt=0, lt=0.5)]
    near_duplicate_similarity: Annotated[float, Field(gt=0, le=1)]
    shingle_words: Positive
    permutations: Positive
    seed: int


class Text(Settings):
    vocabulary: Positive
    min_count: Positive
    unit: Literal["words", "chars"] = "words"


class Train(Settings):
    candidates: Annotated[list[Candidate], Field(min_length=1)]
    embedding: Literal["glove", "random"]
    seed: int
    epochs: Positive
    patience: Positive
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    answered_accuracy: Share
    country_iso_code: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    feature_directions: Positive
    hardware: Hardware
    fitting: Fitting
    textcnn: TextCnn
    bilstm: BiLstm
    transformer: Transformer
    pretrained: Pretrained
    linear: Linear
    ensemble: Ensemble

    def architecture(self, name: Single) -> Network:
        """The settings of one architecture that is trained by itself."""
        return getattr(self, name)  # type: ignore[no-any-return]

    def trained(self, name: Candidate) -> list[Single]:
        """The architectures that a candidate is made of."""
        return list(self.ensemble.of) if name == "ensemble" else [name]


class Evaluate(Settings):
    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Positive
    calibration_bins: Positive
    reference_rows: Positive
    length_bounds: Annotated[list[Positive], Field(min_length=1)] | Literal["thirds"]
    explained_documents: Positive
    suspect_documents: Positive
    behaviour_documents: Positive
    seed: int

    @model_validator(mode="after")
    def rising(self) -> Evaluate:
        bounds = self.length_bounds
        if bounds != "thirds" and bounds != sorted(set(bounds)):
            raise ValueError(f"length_bounds must rise, got {', '.join(map(str, bounds))}")
        return self


class Release(Settings):
    git_remote: str | None


class Serve(Settings):
    host: str
    port: Annotated[int, Field(gt=0, lt=65536)]
    max_batch: Positive
    max_wait_ms: Annotated[float, Field(ge=0)]
    batches_at_once: Positive
    max_texts: Positive
    max_characters: Positive
    follow_seconds: Rate
    keep_seconds: Annotated[float, Field(ge=0)]
    spool_mib: Positive
    explain_seconds: Rate
    ask_keys: Literal["remote", "always"]  # `keys` would make Prefect take it for a mapping
    key_requests_per_second: Rate
    key_burst: Positive
    max_requests: Positive
    max_waiting_texts: Positive
    max_body_bytes: Positive
    max_body_bytes_held: Positive
    max_connections: Positive
    receive_seconds: Rate
    deadline_seconds: Rate
    drain_seconds: Annotated[float, Field(ge=0, le=5)]
    log: Literal["json", "text"]
    challenger: Challenger


class Monitor(Settings):
    min_rows: Positive
    max_rows: Positive
    false_alarm_rate: Annotated[float, Field(gt=0, lt=1)]
    false_alarms_a_day: Rate
    max_bad_share: Share
    max_lost_share: Share
    max_source_share: Share
    max_text_share: Share
    accuracy_hours: Rate
    accuracy_days: Positive
    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Positive
    decay_delta: Annotated[float, Field(gt=0, lt=1)]
    seed: int
    queue_candidates: Positive
    keep_pages: Positive
    sources: Positive


class Privacy(Settings):
    text_days: Positive
    labelled_text_days: Positive
    ledger_days: Positive
    quarantine_days: Positive
    log_days: Positive
    page_days: Positive
    retention_cron: str

    @model_validator(mode="after")
    def ordered(self) -> Privacy:
        if not self.text_days <= self.labelled_text_days <= self.ledger_days:
            raise ValueError(
                "text_days must not be more than labelled_text_days, nor that more than "
                f"ledger_days, got {self.text_days}, {self.labelled_text_days}, {self.ledger_days}"
            )
        if self.page_days > self.text_days:
            raise ValueError(
                "page_days must not be more than text_days, because pages show examples of texts, "
                f"got {self.page_days} and {self.text_days}"
            )
        return self


class Flow(Settings):
    server_port: Annotated[int, Field(gt=0, lt=65536)]
    learning_cron: str
    monitoring_cron: str


class Params(Settings):
    """All of params.yaml; one attribute a section, one section a stage or part."""

    ingest: Ingest
    validate_: Annotated[Validate, Field(alias="validate")]
    split: Split
    text: Text
    train: Train
    tune: Tune
    evaluate: Evaluate
    gate: Gate
    release: Release
    serve: Serve
    monitor: Monitor
    governor: Governor
    alerts: Alerts
    privacy: Privacy
    flow: Flow


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML lets the last of two equal keys win in silence; here it is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {', '.join(twice)} stands twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def load(path: Path) -> Params:
    """The settings in the file at `path`.

    Raises:
        ParamsError: no such file, no YAML, an unknown key, a wrong type or a value out of range;
            the message names each key.
    """
    return parse(read(path), str(path))


def read(path: Path) -> Any:
    """What the file at `path` holds, not checked yet.

    Raises:
        ParamsError: no such file, or no YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)  # noqa: S506 - is safe
    except OSError as error:
        raise ParamsError(f"Expected the settings in {path}, got: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(
            f"Expected YAML in {path}, got: {' '.join(str(error).split())}. Mend that line."
        ) from error


def parse(values: object, where: str) -> Params:
    """Settings from plain values; `where` names their origin in messages.

    Raises:
        ParamsError: as `load`.
    """
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(_describe(fault) for fault in error.errors())
        raise ParamsError(f"{where}: {faults}. Mend these keys and run again.") from error


def _describe(fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"]) or "the file"
    if fault["type"] == "extra_forbidden":
        return f"{key} is no key that newsloop knows"
    if fault["type"] == "missing":
        return f"{key} is missing"
    shown = repr(fault["input"])
    return f"{key}: {fault['msg']}, got {shown if len(shown) < 60 else shown[:57] + '...'}"  # noqa: PLR2004
