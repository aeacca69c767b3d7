"""The architectures, in pure Keras 3: ids in, label probabilities out.

B is the batch, L the words of a document, E the embedding's size, F the features, C the classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.core import params as parameters

if TYPE_CHECKING:
    import numpy as np

_BAG_SPREAD = 0.05  # of the first values in the bag: small, so that the convolutions lead
FEATURES = "features"  # name of the layer before the classes: what monitoring watches


def build(
    settings: parameters.TextCnn | parameters.BiLstm,
    embedding: np.ndarray[Any, Any],
    classes: int,
    seed: int,
) -> Any:
    """The network of one candidate, not yet compiled.

    Args:
        settings: which architecture, and its numbers.
        embedding: (vocabulary + 2, E) float32, first values of the word vectors; rows 0 and 1 are
            padding and unknown.
        classes: C.
        seed: of the first weights and of dropout.

    Returns:
        A keras.Model from ids (B, L) int32 to probabilities (B, C).
    """
    import keras

    keras.utils.set_random_seed(seed)
    length = settings.words
    ids = keras.Input((length,), dtype="int32", name="ids")  # (B, L)
    masked = isinstance(settings, parameters.BiLstm)
    vectors = keras.layers.Embedding(
        *embedding.shape,
        embeddings_initializer=keras.initializers.Constant(embedding),
        mask_zero=masked,
        name="embedding",
    )(ids)  # (B, L, E)
    # Word dropout (Iyyer et al. 2015): whole words vanish, not single numbers of their vectors.
    hidden = keras.layers.Dropout(
        settings.word_dropout, noise_shape=(None, length, 1), seed=seed, name="word_dropout"
    )(vectors)
    if isinstance(settings, parameters.TextCnn):
        features = _textcnn(ids, hidden, settings, embedding.shape[0], seed)
    else:
        features = _bilstm(hidden, settings)
    kept = keras.layers.Dropout(settings.dropout, seed=seed + 1, name="dropout")(features)
    answer = keras.layers.Dense(classes, activation="softmax", name="probabilities")(kept)  # (B, C)
    return keras.Model(ids, answer)


def _textcnn(
    ids: Any, vectors: Any, settings: parameters.TextCnn, vocabulary: int, seed: int
) -> Any:
    """Phrases by convolution beside a bag of words.

    The convolutions are Kim's (2014, "Convolutional Neural Networks for Sentence Classification");
    the bag beside them follows Cheng et al. (2016, "Wide & Deep Learning"): each word has a second,
    small vector, and these are added up and divided by the root of their number.
    """
    import keras

    weights = keras.initializers.RandomNormal(stddev=_BAG_SPREAD, seed=seed + 2)
    bag = keras.layers.Embedding(
        vocabulary, settings.bag, embeddings_initializer=weights, name="bag"
    )(ids)  # (B, L, bag)
    inside = keras.ops.expand_dims(keras.ops.not_equal(ids, 0), -1)  # (B, L, 1), no padding
    inside = keras.layers.Dropout(
        settings.word_dropout,
        noise_shape=(None, settings.words, 1),
        seed=seed + 3,
        name="bag_dropout",
    )(keras.ops.cast(inside, "float32"))
    count = keras.ops.maximum(keras.ops.sum(inside, axis=1), 1.0)  # (B, 1)
    pooled = [keras.ops.sum(bag * inside, axis=1) / keras.ops.sqrt(count)]  # (B, bag)
    for width in settings.widths:
        seen = keras.layers.Conv1D(
            settings.filters, width, activation="relu", name=f"words_{width}"
        )(vectors)  # (B, L - width + 1, filters)
        pooled.append(keras.layers.GlobalMaxPooling1D(name=f"max_{width}")(seen))  # (B, filters)
    return keras.layers.Concatenate(name=FEATURES)(pooled)  # (B, F)


def _bilstm(vectors: Any, settings: parameters.BiLstm) -> Any:
    """Two bidirectional LSTMs, the first returning its sequence: where newsloop began."""
    import keras

    sequence = keras.layers.Bidirectional(
        keras.layers.LSTM(settings.units, return_sequences=True), name="bilstm_1"
    )(vectors)  # (B, L, 2 units)
    return keras.layers.Bidirectional(keras.layers.LSTM(settings.units), name=FEATURES)(
        sequence
    )  # (B, 2 units)


def with_features(network: Any) -> Any:
    """The same network with two outputs: probabilities (B, C) and features (B, F)."""
    import keras

    return keras.Model(network.input, [network.output, network.get_layer(FEATURES).output])
