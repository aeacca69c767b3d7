"""The worked example that newsloop began with: Keras and plain NumPy agree to 1e-6.

Four inputs, (0.1, 0.2) to (0.7, 0.8), labels 0 1 0 1; two inputs, three hidden units, one output;
one step of gradient descent over all four. The weights are chosen here; NumPy does the chain rule
by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Array = np.ndarray[Any, Any]

INPUTS = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]])  # (4, 2)
LABELS = np.array([[0.0], [1.0], [0.0], [1.0]])  # (4, 1)
START = [
    np.array([[0.2, -0.4, 0.1], [0.3, 0.5, -0.2]]),  # (2, 3)
    np.array([0.1, -0.07, 0.05]),
    np.array([[0.6], [-0.3], [0.4]]),  # (3, 1)
    np.array([-0.2]),
]
RATE = 0.5


def sigmoid(values: Array) -> Array:
    return 1 / (1 + np.exp(-values))  # type: ignore[no-any-return]


# Each activation, and its slope in terms of input and output.
ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "sigmoid": (sigmoid, lambda _, a: a * (1 - a)),
    "relu": (lambda z: np.maximum(z, 0), lambda z, _: (z > 0).astype(float)),
    "tanh": (np.tanh, lambda _, a: 1 - a**2),
}


def by_hand(activation: str, loss: str) -> tuple[float, list[Array], list[Array]]:
    """Loss, gradients and updated weights, as in Rumelhart, Hinton and Williams 1986."""
    act, slope = ACTIVATIONS[activation]
    w1, b1, w2, b2 = START
    z1 = INPUTS @ w1 + b1  # (4, 3)
    a1 = act(z1)
    said = sigmoid(a1 @ w2 + b2)  # (4, 1)
    if loss == "binary_crossentropy":
        value = -(LABELS * np.log(said) + (1 - LABELS) * np.log(1 - said)).mean()
        dz2 = (said - LABELS) / len(LABELS)
    else:
        value = ((said - LABELS) ** 2).mean()
        dz2 = 2 * (said - LABELS) * said * (1 - said) / len(LABELS)
    dz1 = (dz2 @ w2.T) * slope(z1, a1)
    gradients = [INPUTS.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)]
    updated = [weight - RATE * gradient for weight, gradient in zip(START, gradients, strict=True)]
    return float(value), gradients, updated


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", ["binary_crossentropy", "mean_squared_error"])
def test_keras_agrees_with_the_chain_rule(activation: str, loss: str) -> None:
    import keras
    import tensorflow as tf

    network = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(3, activation=activation),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    network.set_weights([weight.astype(np.float32) for weight in START])
    with tf.GradientTape() as tape:
        said = network(tf.constant(INPUTS, tf.float32))
        value = keras.losses.get(loss)(tf.constant(LABELS, tf.float32), said)
        value = tf.reduce_mean(value)
    gradients = tape.gradient(value, network.trainable_variables)
    keras.optimizers.SGD(RATE).apply(gradients, network.trainable_variables)
    expected, slopes, updated = by_hand(activation, loss)
    assert float(value) == pytest.approx(expected, abs=1e-6)
    for found, slope in zip(gradients, slopes, strict=True):
        np.testing.assert_allclose(found.numpy(), slope, atol=1e-6)
    for after, weight in zip(network.get_weights(), updated, strict=True):
        np.testing.assert_allclose(after, weight, atol=1e-6)
    assert max(abs(slope).max() for slope in slopes) > 1e-3  # there was something to agree on
