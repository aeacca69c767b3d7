"""The architectures, in pure Keras 3: ids in, label probabilities out.

B is the batch, L the words of a document, E the embedding's size, F the features, M the members,
C the classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.core import params as parameters

if TYPE_CHECKING:
    import numpy as np

PROBABILITIES, MEMBERS, FEATURES = "probabilities", "members", "features"  # what a network gives
_BAG_SPREAD = 0.05  # of the first values in the bag
_BAG_SCALE = 3.0  # with it the bag learns as fast as the convolutions
_SEED_STEP = 100  # between members, so that no two draw the same numbers


def build(
    settings: parameters.TextCnn | parameters.BiLstm,
    embedding: np.ndarray[Any, Any],
    classes: int,
    seed: int,
) -> Any:
    """The network of one candidate, not yet compiled.

    `textcnn` has members, small networks of their own whose probabilities are averaged: one alone
    depends on its seed (Lakshminarayanan et al. 2017, "Deep Ensembles"). Some read phrases by
    convolution, the last counts words; they err on different texts.

    Args:
        settings: which architecture, and its numbers.
        embedding: (vocabulary + 2, E) float32, first values of the word vectors; rows 0 and 1 are
            padding and unknown.
        classes: C.
        seed: of the first weights and of dropout.

    Returns:
        A keras.Model from ids (B, L) int32, any L, to a dictionary: PROBABILITIES (B, C), the mean
        of the members; MEMBERS (B, M, C), what each says; FEATURES (B, F), what they saw.
    """
    import keras

    keras.utils.set_random_seed(seed)
    ids = keras.Input((None,), dtype="int32", name="ids")  # (B, L)
    if isinstance(settings, parameters.TextCnn):
        seen = _textcnn(ids, settings, embedding, seed)
    else:
        seen = _bilstm(ids, settings, embedding, seed)
    said = [
        keras.layers.Dense(classes, activation="softmax", name=f"dense_{i}", dtype="float32")(
            keras.layers.Dropout(settings.dropout, seed=seed + i)(one)
        )
        for i, one in enumerate(seen, start=1)
    ]
    answers = keras.ops.stack(said, axis=1)  # (B, M, C)
    return keras.Model(
        ids,
        {
            PROBABILITIES: keras.ops.mean(answers, axis=1),
            MEMBERS: answers,
            FEATURES: keras.ops.cast(keras.ops.concatenate(seen, axis=-1), "float32"),
        },
    )


def _embed(
    ids: Any,
    settings: parameters.TextCnn | parameters.BiLstm,
    embedding: np.ndarray[Any, Any],
    seed: int,
    *,
    masked: bool,
) -> Any:
    """Word vectors (B, L, E), of which training hides some words."""
    import keras

    vectors = keras.layers.Embedding(
        *embedding.shape,
        embeddings_initializer=keras.initializers.Constant(embedding),
        mask_zero=masked,
    )(ids)
    # Word dropout (Iyyer et al. 2015): whole words vanish, not single numbers of their vectors.
    return keras.layers.Dropout(settings.word_dropout, noise_shape=(None, None, 1), seed=seed)(
        vectors
    )


def _textcnn(
    ids: Any, settings: parameters.TextCnn, embedding: np.ndarray[Any, Any], seed: int
) -> list[Any]:
    """Features of each member, (B, its part of F): those that read phrases, then the bag."""
    seeds = [seed + _SEED_STEP * (i + 1) for i in range(settings.members)]
    phrases = [
        _phrases(ids, _embed(ids, settings, embedding, one, masked=False), settings)
        for one in seeds
    ]
    return [*phrases, _bag(ids, settings, embedding.shape[0], seed)]


def _phrases(ids: Any, vectors: Any, settings: parameters.TextCnn) -> Any:
    """Kim 2014, "Convolutional Neural Networks for Sentence Classification".

    Padding is nought, and each text ends with a phrase of nothing else: so it does not matter how
    far a text is padded.
    """
    import keras

    words = keras.ops.cast(keras.ops.expand_dims(keras.ops.not_equal(ids, 0), -1), vectors.dtype)
    ended = keras.layers.ZeroPadding1D((0, max(settings.widths)))(vectors * words)
    pooled = []
    for width in settings.widths:
        seen = keras.layers.Conv1D(settings.filters, width, activation="relu")(
            ended
        )  # (B, L + longest width - width + 1, filters)
        pooled.append(keras.layers.GlobalMaxPooling1D()(seen))  # (B, filters)
    return keras.ops.concatenate(pooled, axis=-1)


def _bag(ids: Any, settings: parameters.TextCnn, vocabulary: int, seed: int) -> Any:
    """Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification".

    Each word has a small vector; they are added up and divided by the root of their number.
    """
    import keras

    weights = keras.initializers.RandomNormal(stddev=_BAG_SPREAD, seed=seed)
    vectors = keras.layers.Embedding(
        vocabulary, settings.bag, embeddings_initializer=weights, name="bag"
    )(ids)  # (B, L, bag)
    inside = keras.ops.expand_dims(keras.ops.not_equal(ids, 0), -1)  # (B, L, 1), no padding
    inside = keras.layers.Dropout(settings.word_dropout, noise_shape=(None, None, 1), seed=seed)(
        keras.ops.cast(inside, "float32")
    )
    count = keras.ops.maximum(keras.ops.sum(inside, axis=1), 1.0)  # (B, 1)
    return _BAG_SCALE * keras.ops.sum(vectors * inside, axis=1) / keras.ops.sqrt(count)


def _bilstm(
    ids: Any, settings: parameters.BiLstm, embedding: np.ndarray[Any, Any], seed: int
) -> list[Any]:
    """Two bidirectional LSTMs, the first returning its sequence: where newsloop began."""
    import keras

    vectors = _embed(ids, settings, embedding, seed, masked=True)
    sequence = keras.layers.Bidirectional(keras.layers.LSTM(settings.units, return_sequences=True))(
        vectors
    )  # (B, L, 2 units)
    return [keras.layers.Bidirectional(keras.layers.LSTM(settings.units))(sequence)]
