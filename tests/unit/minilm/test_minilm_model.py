"""The network does BERT's arithmetic, and other files than the pinned ones are refused."""

import json
import math

import numpy as np
import pytest
import threadpoolctl

from sentienguard.adapters.minilm import embedder as minilm
from sentienguard.adapters.minilm import network, weights
from sentienguard.ports import embedder

installed = pytest.mark.skipif(
    weights.find() is None, reason="requirements/models.txt is not installed"
)


def made_up(seed=1):
    """Return random weights of MiniLM's shapes."""
    random = np.random.default_rng(seed)

    def some(*shape):
        return (random.normal(size=shape) * 0.05).astype(np.float32)

    width, wide = network.WIDTH, 4 * network.WIDTH
    found = {
        "embeddings.word_embeddings.weight": some(50, width),
        "embeddings.position_embeddings.weight": some(64, width),
        "embeddings.token_type_embeddings.weight": some(2, width),
        "embeddings.LayerNorm.weight": 1 + some(width),
        "embeddings.LayerNorm.bias": some(width),
    }
    for layer in range(network.LAYERS):
        name = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            found[f"{name}.attention.self.{part}.weight"] = some(width, width)
            found[f"{name}.attention.self.{part}.bias"] = some(width)
        for part, out, into in (
            ("attention.output.dense", width, width),
            ("intermediate.dense", wide, width),
            ("output.dense", width, wide),
        ):
            found[f"{name}.{part}.weight"] = some(out, into)
            found[f"{name}.{part}.bias"] = some(out)
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            found[f"{name}.{part}.weight"] = 1 + some(width)
            found[f"{name}.{part}.bias"] = some(width)
    return found


def by_the_book(given, numbers):
    """BERT in float64, one head and one number at a time."""
    given = {name: value.astype(np.float64) for name, value in given.items()}

    def linear(name, values):
        return values @ given[f"{name}.weight"].T + given[f"{name}.bias"]

    def normal(name, values):
        centred = values - values.mean(-1, keepdims=True)
        spread = np.sqrt(values.var(-1, keepdims=True) + 1e-12)
        return centred / spread * given[f"{name}.weight"] + given[f"{name}.bias"]

    gelu = np.vectorize(lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))))
    hidden = normal(
        "embeddings.LayerNorm",
        given["embeddings.word_embeddings.weight"][numbers]
        + given["embeddings.position_embeddings.weight"][: len(numbers)]
        + given["embeddings.token_type_embeddings.weight"][0],
    )
    per_head = network.WIDTH // network.HEADS
    for layer in range(network.LAYERS):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            linear(f"{name}.attention.self.{part}", hidden) for part in ("query", "key", "value")
        )
        heads = []
        for head in range(network.HEADS):
            at = slice(head * per_head, (head + 1) * per_head)
            scores = np.exp(query[:, at] @ key[:, at].T / math.sqrt(per_head))
            heads.append(scores / scores.sum(-1, keepdims=True) @ value[:, at])
        mixed = linear(f"{name}.attention.output.dense", np.concatenate(heads, axis=1))
        mixed = normal(f"{name}.attention.output.LayerNorm", mixed + hidden)
        narrow = linear(f"{name}.output.dense", gelu(linear(f"{name}.intermediate.dense", mixed)))
        hidden = normal(f"{name}.output.LayerNorm", narrow + mixed)
    mean = hidden.mean(0)
    return mean / np.linalg.norm(mean)


@pytest.mark.parametrize("numbers", [[2], [2, 7, 3], list(range(40))])
def test_the_network_is_bert(numbers):
    given = made_up()
    found = network.embed(given, numbers)
    assert found.shape == (network.WIDTH,)
    assert np.abs(found - by_the_book(given, numbers)).max() < 2e-6


def test_the_order_of_the_pieces_counts():
    given = made_up()
    assert not np.allclose(network.embed(given, [2, 7, 9, 3]), network.embed(given, [2, 9, 7, 3]))


@pytest.mark.parametrize("missing", ["vocab.txt", "model.safetensors", None])
def test_files_that_are_not_the_pinned_ones_are_refused(tmp_path, missing):
    header = json.dumps({}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    (tmp_path / "vocab.txt").write_text("[UNK]\n")
    if missing:
        (tmp_path / missing).unlink()
    with pytest.raises(embedder.ModelWrong, match=r"requirements/models\.txt"):
        minilm.MiniLm(tmp_path)


@pytest.mark.parametrize("touched", sorted(weights.SHA256))
@installed
def test_one_changed_bit_is_refused(tmp_path, touched):
    for name in weights.SHA256:
        content = bytearray((weights.find() / name).read_bytes())
        if name == touched:
            content[-1] ^= 1
        (tmp_path / name).write_bytes(content)
    with pytest.raises(embedder.ModelWrong, match=f"{touched}: expected sha256"):
        minilm.MiniLm(tmp_path)


@installed
def test_meanings_are_compared():
    model = minilm.installed()
    full, space, cat = (
        np.array(one)
        for one in model.embed(
            ["The disk is full.", "No space left on the volume.", "A cat sleeps in the sun."]
        )
    )
    assert full @ full == pytest.approx(1, abs=1e-5)
    assert full @ space > 0.5 > full @ cat
    assert (full @ space, full @ cat) == pytest.approx((0.6053, 0.0), abs=0.2)


@installed
def test_a_text_is_embedded_on_one_thread_whatever_the_machine_has(monkeypatch):
    used = []

    def looking(*_):
        found = threadpoolctl.threadpool_info()
        used.extend(one["num_threads"] for one in found if one["user_api"] == "blas")
        return np.zeros(network.WIDTH)

    monkeypatch.setattr(network, "embed", looking)
    with threadpoolctl.threadpool_limits(limits=2, user_api="blas"):
        minilm.installed().embed(["the pool is full"])
    assert set(used) == {1}
