"""MiniLM's six layers in NumPy: the numbers of a text to one vector of length 1.

Called by `embedder`. One text at a time, so nothing is padded and the vector of a text does not
depend on what else is embedded. Inference only; shapes are (pieces, width).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

LAYERS, HEADS, WIDTH = 6, 12, 384
_EPSILON = np.float32(1e-12)  # of the layer normalisation, the model's own
Array = npt.NDArray[np.float32]
Weights = Mapping[str, Array]

# Abramowitz and Stegun 7.1.26: the error function to 1.5e-7, which is what float32 can hold.
_ERF_P = np.float32(0.3275911)
_ERF = tuple(
    np.float32(one) for one in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
)


def embed(weights: Weights, numbers: Sequence[int]) -> Array:
    """Return the mean of the last layer over the pieces of a text, scaled to length 1."""
    hidden = _begin(weights, np.asarray(numbers))
    for layer in range(LAYERS):
        hidden = _layer(weights, f"encoder.layer.{layer}", hidden)
    mean = hidden.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)


def _begin(weights: Weights, numbers: npt.NDArray[np.int64]) -> Array:
    total = (
        weights["embeddings.word_embeddings.weight"][numbers]
        + weights["embeddings.position_embeddings.weight"][: len(numbers)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    return _normalised(weights, "embeddings.LayerNorm", total)


def _layer(weights: Weights, name: str, hidden: Array) -> Array:
    mixed = _attention(weights, f"{name}.attention.self", hidden)
    mixed = _linear(weights, f"{name}.attention.output.dense", mixed)
    mixed += hidden
    mixed = _normalised(weights, f"{name}.attention.output.LayerNorm", mixed)
    wide = _gelu(_linear(weights, f"{name}.intermediate.dense", mixed))
    narrow = _linear(weights, f"{name}.output.dense", wide)
    narrow += mixed
    return _normalised(weights, f"{name}.output.LayerNorm", narrow)


def _attention(weights: Weights, name: str, hidden: Array) -> Array:
    count, per_head = len(hidden), WIDTH // HEADS
    query, key, value = (
        _linear(weights, f"{name}.{part}", hidden)
        .reshape(count, HEADS, per_head)
        .transpose(1, 0, 2)
        for part in ("query", "key", "value")
    )
    scores = query @ key.transpose(0, 2, 1)
    scores /= np.float32(per_head**0.5)
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    mixed = (scores @ value).transpose(1, 0, 2).reshape(count, WIDTH)
    return np.asarray(mixed, dtype=np.float32)


def _linear(weights: Weights, name: str, values: Array) -> Array:
    out: Array = values @ weights[f"{name}.weight"].T
    out += weights[f"{name}.bias"]
    return out


def _normalised(weights: Weights, name: str, values: Array) -> Array:
    centred = np.asarray(values - values.mean(axis=-1, keepdims=True), dtype=np.float32)
    spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + _EPSILON)
    centred /= spread
    centred *= weights[f"{name}.weight"]
    centred += weights[f"{name}.bias"]
    return centred


def _gelu(values: Array) -> Array:
    """Return x * P(X <= x) for a standard normal X, as the model was trained with."""
    scaled = np.abs(values)
    scaled *= np.float32(0.5**0.5)
    near = 1 / (1 + _ERF_P * scaled)
    series = near * _ERF[0]
    for factor in _ERF[1:]:
        series += factor
        series *= near
    scaled *= scaled
    np.negative(scaled, out=scaled)
    series *= np.exp(scaled, out=scaled)
    tail = np.float32(0.5) * series  # P(X > |x|)
    found: Array = np.where(values >= 0, values - values * tail, values * tail)
    return found
