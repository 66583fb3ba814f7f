"""The JSON of a sample: equal both ways, and strict."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model import ids, telemetry
from sentienguard.stages.observe import payload, wire

AGENT = ids.AgentId("11111111-2222-4333-8444-555555555555")
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40).filter(
    str.isprintable
)
NUMBERS = st.floats(-1e300, 1e300)
COUNTS = st.integers(0, payload.MAX_COUNT)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)).map(  # noqa: DTZ001 - below
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
)
METRICS = st.from_regex(r"\A[a-z][a-z0-9_]{0,9}(\.[a-z0-9_]{1,9}){1,2}\Z")
PROCESSES = st.builds(telemetry.ProcessUse, st.integers(1, 2**22), NAMES, NUMBERS, COUNTS, NUMBERS)
PATHS = st.builds(telemetry.PathUse, NAMES, COUNTS, NUMBERS)
LINES = st.builds(telemetry.LogLine, TIMES, NAMES, NAMES)


def few(items):
    return st.lists(items, max_size=3).map(tuple)


SAMPLES = st.builds(
    telemetry.Sample,
    agent=st.just(AGENT),
    host=NAMES,
    environment=st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,9}\Z"),
    tags=st.dictionaries(st.from_regex(r"\A[A-Za-z0-9][a-z0-9_./-]{0,9}\Z"), NAMES, max_size=3),
    seq=st.integers(1, 2**32 - 1),
    at=TIMES,
    values=st.dictionaries(st.tuples(METRICS, st.just("") | NAMES), NUMBERS, max_size=8),
    top_cpu=few(PROCESSES),
    top_memory=few(PROCESSES),
    top_io=few(PROCESSES),
    top_paths=st.dictionaries(
        NAMES, st.lists(PATHS, min_size=1, max_size=3).map(tuple), max_size=2
    ),
    log_lines=few(LINES),
)


@pytest.mark.property
@given(SAMPLES)
def test_a_sample_comes_back_equal_from_text_and_frame(sample):
    text = payload.encode(sample)
    assert payload.parse(text) == sample
    assert payload.parse(wire.decode(wire.encode(text, sample.seq), {}).text) == sample


@pytest.mark.property
@given(SAMPLES)
def test_equal_samples_give_equal_bytes_whatever_the_order(sample):
    turned = dict(reversed(list(sample.values.items())))
    other = telemetry.Sample(
        sample.agent, sample.host, sample.environment, dict(reversed(list(sample.tags.items()))),
        sample.seq, sample.at, turned, sample.top_cpu, sample.top_memory, sample.top_paths,
        sample.log_lines, sample.top_io,
    )  # fmt: skip
    assert payload.encode(other) == payload.encode(sample)


@pytest.mark.property
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_random_bytes_raise_nothing_but_malformed(text):
    with pytest.raises(payload.Malformed):
        payload.parse(text)


def good():
    return {
        "v": 1, "agent_id": AGENT, "host": "db-1", "environment": "production",
        "tags": {"service": "postgresql"}, "seq": 7, "at_ms": 1770895560000,
        "metrics": {"system": {"cpu_percent": 42.3, "disk_usage_percent": {"/var": 94.8}}},
        "top": {"cpu": [{"pid": 1, "name": "a", "cpu_percent": 1, "memory_bytes": 2}],
                "paths": {"/var": [{"path": "/var/a", "bytes": 1, "growth_bytes_per_hour": 0}]}},
        "logs": [{"at_ms": 1, "file": "/var/log/a", "text": "hello"}],
    }  # fmt: skip


def test_the_documented_shape_is_read_into_the_flat_table():
    sample = payload.parse(json.dumps(good()).encode())
    assert sample.values == {
        ("system.cpu_percent", ""): 42.3,
        ("system.disk_usage_percent", "/var"): 94.8,
    }
    assert sample.at == datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
    assert sample.top_paths["/var"][0].path == "/var/a"


CHANGES = [
    ("v", 2, "v"),
    ("v", True, "v"),
    ("agent_id", "host-1", "agent_id"),
    ("agent_id", AGENT.upper().replace("1", "A"), "agent_id"),
    ("host", "", "host"),
    ("host", "a\nb", "host"),
    ("host", "a\x1b[31m", "host"),
    ("host", "x" * 254, "host"),
    ("environment", "Production", "environment"),
    ("environment", "*", "environment"),
    ("environment", "prod\n", "environment"),
    ("tags", {"a b": "c"}, "tags"),
    ("tags", {"a": 1}, "tags.a"),
    ("tags", {f"t{n}": "x" for n in range(65)}, "tags"),
    ("seq", 0, "seq"),
    ("seq", 2**32, "seq"),
    ("seq", 1.0, "seq"),
    ("at_ms", -1, "at_ms"),
    ("at_ms", 10**15, "at_ms"),
    ("metrics", [], "metrics"),
    ("metrics", {"system": 1}, "metrics.'system'"),
    ("metrics", {"system": {"cpu_percent": "high"}}, "metrics.system.cpu_percent"),
    ("metrics", {"system": {"cpu_percent": True}}, "metrics.system.cpu_percent"),
    ("metrics", {"system": {"cpu_percent": None}}, "metrics.system.cpu_percent"),
    ("metrics", {"system": {"cpu_percent": 10**400}}, "metrics.system.cpu_percent"),
    ("metrics", {"system": {"Cpu": 1}}, "metrics"),
    ("metrics", {"": {"cpu": 1}}, "metrics"),
    ("metrics", {"a": {"b": {"x\0": 1}}}, "metrics.a.b"),
    ("metrics", {"a": {"b": {"x" * 513: 1}}}, "metrics.a.b"),
    ("metrics", {"a": {"b": {str(n): n for n in range(2001)}}}, "metrics"),
    ("top", {"disk": []}, "top."),
    ("top", {"cpu": [{"pid": 1}]}, "top.cpu[0]."),
    ("top", {"cpu": [{"pid": 0, "name": "a", "cpu_percent": 1, "memory_bytes": 1}]},
     "top.cpu[0].pid"),
    ("top", {"cpu": [{}] * 33}, "top.cpu"),
    ("top", {"paths": {"\u202e": []}}, "top.paths"),
    ("top", {"paths": {str(n): [] for n in range(65)}}, "top.paths"),
    ("logs", [{"at_ms": 1, "file": "a", "text": "x" * 513}], "logs[0].text"),
    ("logs", [{"at_ms": 1, "file": "a", "text": "\ud800"}], "logs[0].text"),
    ("logs", [{}] * 257, "logs"),
    ("extra", 1, "sample"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value", "path"), CHANGES)
def test_a_bad_field_is_refused_with_its_path(field, value, path):
    with pytest.raises(payload.Malformed) as refused:
        payload.parse(json.dumps(good() | {field: value}).encode())
    assert str(refused.value).startswith(path)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("field", sorted(good().keys() - {"top", "logs"}))
def test_a_missing_field_is_refused_with_its_name(field):
    record = good()
    del record[field]
    with pytest.raises(payload.Malformed, match=f"^{field}: expected a value"):
        payload.parse(json.dumps(record).encode())


@pytest.mark.parametrize(
    "text",
    [
        b'{"v":1,"v":1}',
        b'{"v":NaN}',
        b'{"v":-Infinity}',
        b"\xff",
        b"[" * 100_000,
        b'{"v":' * 100_000,
        b"9" * 5000,
        b"null",
    ],
)
def test_text_that_is_not_strict_json_is_refused(text):
    with pytest.raises(payload.Malformed):
        payload.parse(text)


@pytest.mark.parametrize("name", ["seq", "cpu_percent", "pid"])
def test_a_field_that_comes_twice_is_refused(name):
    record = json.dumps(good())
    at = record.index(f'"{name}"')
    with pytest.raises(payload.Malformed, match=f"{name}' comes twice"):
        payload.parse(f'{record[:at]}"{name}": 1, {record[at:]}'.encode())


def test_a_number_that_overflows_to_infinity_is_refused():
    text = json.dumps(good()).replace("42.3", "1e999").encode()
    with pytest.raises(payload.Malformed, match="finite"):
        payload.parse(text)
