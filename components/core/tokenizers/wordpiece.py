"""WordPiece tokenizer of a pretrained model inside TensorFlow.

Wu et al. 2016, "Google's Neural Machine Translation System", section 4.1. The vocabulary of the
model becomes part of the graph, so a bundle needs neither the preset nor KerasHub.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.core.networks import presets
from components.core.params.architectures.pretrained import Pretrained
from components.core.tokenizers import words as word_tokenizer

_ENDS = 2  # [CLS] before and [SEP] behind the pieces of a chunk


def make_encoder(settings: Pretrained, words: Sequence[str], unit: word_tokenizer.Unit) -> Any:
    """Makes a tf.Module with the outputs of `words.make_encoder`, but ids of word pieces.

    The number of words and the share of unknown words come from `words.make_encoder`, so that
    these signals of monitoring mean the same for every architecture.

    Args:
        settings: the pretrained model; its `words` are the number of word pieces, including [CLS]
            and [SEP] of each chunk.
        words: vocabulary of the training side.
        unit: unit of the vocabulary's words.

    Raises:
        ParamsError: as `presets.tokenizer`.
    """
    import tensorflow as tf

    tokenizer = presets.tokenizer(settings)
    # As in BERT: lower-case vocabularies have no accents, so "café" would be an unknown word.
    tokenizer.strip_accents = tokenizer.strip_accents or tokenizer.lowercase
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    chunks, room = settings.words // settings.chunk, settings.chunk - _ENDS

    class PieceEncoder(tf.Module):  # type: ignore[misc]
        """Raw strings -> ids of word pieces, in the graph."""

        def __init__(self) -> None:
            super().__init__()
            self.lengths = (settings.words,)
            self.counted = word_tokenizer.make_encoder(words, settings.words, unit)
            names = tokenizer.get_vocabulary()
            self.names = tf.constant(["" if i == 0 else name for i, name in enumerate(names)])

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
        def pieces(self, texts):  # type: ignore[no-untyped-def]
            """Encodes to (B, words) int32, chunk by chunk: [CLS], pieces, [SEP]; padding 0."""
            without_nul = tf.strings.regex_replace(texts, r"\x00", " ")
            tokens = tf.cast(tokenizer(without_nul)[:, : chunks * room], tf.int32)
            count = tf.cast(tokens.row_lengths(), tf.int32)[:, None]  # (B, 1)
            sizes = tf.clip_by_value(count - room * tf.range(chunks), 0, room)
            sizes = sizes[..., None]  # (B, K, 1)
            chunked = tf.reshape(
                tokens.to_tensor(0, shape=[None, chunks * room]), [-1, chunks, room]
            )
            ids = tf.pad(chunked, [[0, 0], [0, 0], [1, 1]])
            positions = tf.range(settings.chunk)
            ids = tf.where(positions == 0, first, tf.where(positions == sizes + 1, last, ids))
            # A text without word pieces has one chunk, too.
            used = (sizes > 0) | (tf.range(chunks)[:, None] == 0)
            return tf.reshape(tf.where(used, ids, 0), [-1, settings.words])

        def __call__(self, texts: Any) -> tuple[Any, Any, Any]:
            """Encodes a batch as the encoder of `words.make_encoder` does, with other ids."""
            _, count, unknown_share = self.counted(texts)
            return self.pieces(tf.convert_to_tensor(texts)), count, unknown_share

        def read(self, texts: Any) -> Any:
            """Returns the word piece of each id, (B, words) strings, "" for padding."""
            return tf.gather(self.names, self.pieces(tf.convert_to_tensor(texts)))

    return PieceEncoder()
