"""The architectures, in pure Keras 3: ids in, label probabilities out.

B is the batch, L the words of a document, E the embedding's size, F the features, C the classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.core import params as parameters

if TYPE_CHECKING:
    import numpy as np

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
        features = _textcnn(hidden, settings)
    else:
        features = _bilstm(hidden, settings)
    kept = keras.layers.Dropout(settings.dropout, seed=seed + 1, name="dropout")(features)
    answer = keras.layers.Dense(classes, activation="softmax", name="probabilities")(kept)  # (B, C)
    return keras.Model(ids, answer)


def _textcnn(vectors: Any, settings: parameters.TextCnn) -> Any:
    """Kim 2014, "Convolutional Neural Networks for Sentence Classification"."""
    import keras

    pooled = []
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
