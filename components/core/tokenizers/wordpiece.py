"""Texts -> word pieces of a pretrained model, inside TensorFlow, as words.py does with words.

Wu et al. 2016, "Google's Neural Machine Translation System", section 4.1. The model's own
vocabulary becomes part of the graph, so a bundle needs neither the preset nor KerasHub.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.core.networks import presets
from components.core.params.architectures.pretrained import Pretrained
from components.core.tokenizers import words as word_tokenizer

_ENDS = 2  # [CLS] before and [SEP] behind the pieces of a chunk


def make_encoder(settings: Pretrained, words: Sequence[str], unit: word_tokenizer.Unit) -> Any:
    """A tf.Module with the outputs of `text.make_encoder`, whose ids are those of word pieces.

    Words are counted as there, and a word is unknown if the training side did not have it: what
    monitoring watches means the same for every architecture.

    Args:
        settings: which model; its `words` are pieces here, the ends of chunks included.
        words, unit: of the training side, as for `text.make_encoder`.

    Raises:
        ParamsError: as `presets.tokenizer`.
    """
    import tensorflow as tf

    tokenizer = presets.tokenizer(settings)
    # As BERT did: the vocabularies in lower case have no accents, and "café" would be unknown.
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
            """(B, words) int32, chunk by chunk: [CLS], pieces, [SEP]; padded with 0 at the end."""
            whole = tf.strings.regex_replace(texts, r"\x00", " ")
            found = tf.cast(tokenizer(whole)[:, : chunks * room], tf.int32)
            count = tf.cast(found.row_lengths(), tf.int32)[:, None]  # (B, 1)
            own = tf.clip_by_value(count - room * tf.range(chunks), 0, room)[..., None]  # (B, K, 1)
            inner = tf.reshape(found.to_tensor(0, shape=[None, chunks * room]), [-1, chunks, room])
            ids = tf.pad(inner, [[0, 0], [0, 0], [1, 1]])
            place = tf.range(settings.chunk)
            ids = tf.where(place == 0, first, tf.where(place == own + 1, last, ids))
            # A text without pieces has one chunk all the same.
            there = (own > 0) | (tf.range(chunks)[:, None] == 0)
            return tf.reshape(tf.where(there, ids, 0), [-1, settings.words])

        def __call__(self, texts: Any) -> tuple[Any, Any, Any]:
            """As `text.make_encoder`'s, ids apart."""
            _, count, unknown_share = self.counted(texts)
            return self.pieces(tf.convert_to_tensor(texts)), count, unknown_share

        def read(self, texts: Any) -> Any:
            """(B, words) strings: the pieces at the places of the ids, "" where there is none."""
            return tf.gather(self.names, self.pieces(tf.convert_to_tensor(texts)))

    return PieceEncoder()
