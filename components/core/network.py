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
_BAG_SPREAD = 0.05  # of the first values in the bag: small, so that the convolutions lead
_SEED_STEP = 100  # between members, so that no two draw the same numbers


def build(
    settings: parameters.TextCnn | parameters.BiLstm,
    embedding: np.ndarray[Any, Any],
    classes: int,
    seed: int,
) -> Any:
    """The network of one candidate, not yet compiled.

    `textcnn` has several members, equal networks with other first weights, whose probabilities are
    averaged (Lakshminarayanan et al. 2017, "Deep Ensembles"): one alone depends on its seed.

    Args:
        settings: which architecture, and its numbers.
        embedding: (vocabulary + 2, E) float32, first values of the word vectors; rows 0 and 1 are
            padding and unknown.
        classes: C.
        seed: of the first weights and of dropout.

    Returns:
        A keras.Model from ids (B, L) int32 to a dictionary: PROBABILITIES (B, C), the mean of the
        members; MEMBERS (B, M, C), what each says; FEATURES (B, F), what they saw.
    """
    import keras

    keras.utils.set_random_seed(seed)
    ids = keras.Input((settings.words,), dtype="int32", name="ids")  # (B, L)
    count = settings.members if isinstance(settings, parameters.TextCnn) else 1
    pairs = [
        _member(ids, settings, embedding, classes, seed + _SEED_STEP * i, f"_{i + 1}")
        for i in range(count)
    ]
    answers = keras.ops.stack([answer for _, answer in pairs], axis=1)  # (B, M, C)
    return keras.Model(
        ids,
        {
            PROBABILITIES: keras.ops.mean(answers, axis=1),
            MEMBERS: answers,
            FEATURES: keras.ops.concatenate([features for features, _ in pairs], axis=-1),
        },
    )


def _member(
    ids: Any,
    settings: parameters.TextCnn | parameters.BiLstm,
    embedding: np.ndarray[Any, Any],
    classes: int,
    seed: int,
    suffix: str,
) -> tuple[Any, Any]:
    """One network: features (B, its part of F) and probabilities (B, C)."""
    import keras

    vectors = keras.layers.Embedding(
        *embedding.shape,
        embeddings_initializer=keras.initializers.Constant(embedding),
        mask_zero=isinstance(settings, parameters.BiLstm),
        name=f"embedding{suffix}",
    )(ids)  # (B, L, E)
    # Word dropout (Iyyer et al. 2015): whole words vanish, not single numbers of their vectors.
    hidden = keras.layers.Dropout(
        settings.word_dropout, noise_shape=(None, settings.words, 1), seed=seed
    )(vectors)
    if isinstance(settings, parameters.TextCnn):
        features = _textcnn(ids, hidden, settings, embedding.shape[0], seed, suffix)
    else:
        features = _bilstm(hidden, settings, suffix)
    kept = keras.layers.Dropout(settings.dropout, seed=seed + 1)(features)
    dense = keras.layers.Dense(classes, activation="softmax", name=f"dense{suffix}")
    return features, dense(kept)


def _textcnn(
    ids: Any,
    vectors: Any,
    settings: parameters.TextCnn,
    vocabulary: int,
    seed: int,
    suffix: str,
) -> Any:
    """Phrases by convolution beside a bag of words.

    The convolutions are Kim's (2014, "Convolutional Neural Networks for Sentence Classification");
    the bag beside them follows Cheng et al. (2016, "Wide & Deep Learning"): each word has a second,
    small vector, and these are added up and divided by the root of their number.
    """
    import keras

    weights = keras.initializers.RandomNormal(stddev=_BAG_SPREAD, seed=seed + 2)
    bag = keras.layers.Embedding(
        vocabulary, settings.bag, embeddings_initializer=weights, name=f"bag{suffix}"
    )(ids)  # (B, L, bag)
    inside = keras.ops.expand_dims(keras.ops.not_equal(ids, 0), -1)  # (B, L, 1), no padding
    inside = keras.layers.Dropout(
        settings.word_dropout, noise_shape=(None, settings.words, 1), seed=seed + 3
    )(keras.ops.cast(inside, "float32"))
    count = keras.ops.maximum(keras.ops.sum(inside, axis=1), 1.0)  # (B, 1)
    pooled = [keras.ops.sum(bag * inside, axis=1) / keras.ops.sqrt(count)]  # (B, bag)
    for width in settings.widths:
        seen = keras.layers.Conv1D(
            settings.filters, width, activation="relu", name=f"words_{width}{suffix}"
        )(vectors)  # (B, L - width + 1, filters)
        pooled.append(keras.layers.GlobalMaxPooling1D()(seen))  # (B, filters)
    return keras.layers.Concatenate()(pooled)


def _bilstm(vectors: Any, settings: parameters.BiLstm, suffix: str) -> Any:
    """Two bidirectional LSTMs, the first returning its sequence: where newsloop began."""
    import keras

    sequence = keras.layers.Bidirectional(
        keras.layers.LSTM(settings.units, return_sequences=True), name=f"bilstm_first{suffix}"
    )(vectors)  # (B, L, 2 units)
    return keras.layers.Bidirectional(
        keras.layers.LSTM(settings.units), name=f"bilstm_second{suffix}"
    )(sequence)  # (B, 2 units)
