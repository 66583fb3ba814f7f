"""Remote write as bytes: both versions, what is refused, and that nothing else leaves a reader."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.telemetry import Series
from sentienguard.stages.observe import outside, protobuf, remote_write
from sentienguard.stages.observe.outside import Malformed, Sent
from tests.support import remote_write_bodies as bodies

UP = {"__name__": "up", "instance": "web-1:9100", "job": "node"}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LABELS = st.dictionaries(TEXT.filter(bool), TEXT, max_size=5).map(lambda more: {**more, **UP})
VALUES = st.floats() | st.just(bodies.STALE)
POINTS = st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), VALUES), min_size=1, max_size=4)
SERIES = st.lists(st.tuples(LABELS, POINTS), max_size=4)


def same(
    found: outside.Batch, series: list[tuple[dict[str, str], list[tuple[int, float]]]]
) -> None:
    assert (found.refused, len(found.sent)) == (0, len(series))
    for sent, (labels, points) in zip(found.sent, series, strict=True):
        assert {**sent.labels, "__name__": sent.name} == labels
        assert [at for at, _ in sent.points] == [at for at, _ in points]
        for (_, read), (_, written) in zip(sent.points, points, strict=True):
            assert read == written or (math.isnan(read) and math.isnan(written))
            assert outside.is_stale(read) == outside.is_stale(written)


@given(SERIES)
def test_what_version_1_writes_is_read_back(series) -> None:
    same(remote_write.parse(bodies.v1(*series), remote_write.V1), series)


@given(SERIES, st.booleans())
def test_what_version_2_writes_is_read_back(series, packed) -> None:
    same(remote_write.parse(bodies.v2(*series, packed=packed), remote_write.V2), series)


@pytest.mark.parametrize("version", [remote_write.V1, remote_write.V2])
@given(body=st.binary(max_size=200))
def test_noise_is_read_or_refused_and_nothing_else_happens(version: str, body: bytes) -> None:
    try:
        remote_write.parse(body, version)
    except Malformed as refused:
        assert version in str(refused) or "symbols" in str(refused)  # noqa: PT017  either may be


@given(SERIES.filter(bool), st.data())
def test_a_body_with_one_wrong_byte_is_read_or_refused(series, data) -> None:
    body = bytearray(bodies.v2(*series))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    for version in (remote_write.V1, remote_write.V2):
        try:
            remote_write.parse(bytes(body), version)
        except Malformed:
            continue


@given(SERIES.filter(bool), st.data())
def test_a_truncated_body_is_refused_or_shorter(series, data) -> None:
    body = bodies.v1(*series)
    cut = data.draw(st.integers(0, len(body) - 1))
    try:
        found = remote_write.parse(body[:cut], remote_write.V1)
    except Malformed:
        return
    assert len(found.sent) + bool(found.refused) <= len(series)


def test_what_nobody_reads_is_counted() -> None:
    histogram = bodies.field(4, bodies.number(1, 7))
    exemplar = bodies.field(3, bodies.double(2, 1.0))
    body = bodies.v1_series(UP, [(1, 1.0)], exemplar + histogram + histogram)
    found = remote_write.parse(body + bodies.field(3, b""), remote_write.V1)
    assert found.skipped == {"exemplar": 1, "histogram": 2, "metadata": 1}
    assert len(found.sent) == 1


def test_a_wrong_series_is_refused_by_itself() -> None:
    twice = bodies.field(1, bodies.field(1, bodies.field(1, "a")) * 2 + bodies.field(2, b""))
    good = bodies.v1((UP, [(1, 1.0)]))
    found = remote_write.parse(good + twice + good, remote_write.V1)
    assert (len(found.sent), found.refused) == (2, 1)
    assert found.reasons == ["label 'a': expected once, found twice"]


def test_a_body_has_a_bounded_number_of_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "MAX_POINTS", 3)
    with pytest.raises(Malformed, match="at most 3 samples"):
        remote_write.parse(bodies.v1((UP, [(1, 1.0)] * 2), (UP, [(1, 1.0)] * 2)), remote_write.V1)


@pytest.mark.parametrize(
    ("labels", "series"),
    [
        ({"instance": "web-1:9100"}, Series("web-1", "m", "", (("environment", "e"),
         ("instance", "web-1:9100")))),
        ({"instance": "[::1]:9100"}, Series("::1", "m", "", (("environment", "e"),
         ("instance", "[::1]:9100")))),
        ({"host": "a", "instance": "b:1"}, Series("a", "m", "", (("environment", "e"),
         ("instance", "b:1")))),
        ({"job": "", "subject": "s"}, Series("", "m", "", (("environment", "e"),
         ("exported_subject", "s")))),
        ({"environment": "production"}, Series("", "m", "", (("environment", "e"),
         ("exported_environment", "production")))),
    ],
)  # fmt: skip
def test_a_series_is_named_by_its_labels(labels, series) -> None:
    assert outside.series(Sent("m", labels, ()), "e") == series


@pytest.mark.parametrize(
    ("name", "labels"),
    [("", {}), ("x" * 257, {}), ("m", {"a": "x" * 1025}), ("m", {"x" * 257: "a"}),
     ("m", {"": "a"}), ("m", {str(number): "a" for number in range(65)})],
)  # fmt: skip
def test_a_series_has_bounds(name, labels) -> None:
    with pytest.raises(Malformed):
        outside.series(Sent(name, labels, ()), "e")


@given(st.binary(max_size=100))
def test_a_reader_of_fields_ends(body: bytes) -> None:
    try:
        total = sum(len(value) if isinstance(value, bytes) else 1
                    for _, value in protobuf.fields(body))  # fmt: skip
    except protobuf.Malformed as refused:
        assert str(refused).startswith("byte ")  # noqa: PT017  either may be
    else:
        assert total <= len(body)


@given(st.integers(0, 2**64 - 1))
def test_every_number_of_64_bits_is_read(value: int) -> None:
    assert list(protobuf.fields(bodies.number(3, value))) == [(3 << 3, value)]
    assert protobuf.signed(value) == (value if value < 2**63 else value - 2**64)


def test_fields_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MAX_FIELDS", 2)
    with pytest.raises(protobuf.Malformed, match="more than 2 fields"):
        list(protobuf.fields(bodies.number(1, 1) * 3))
