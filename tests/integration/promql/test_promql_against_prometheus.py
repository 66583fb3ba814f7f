"""Our PromQL beside a real Prometheus on the same readings: no difference."""

import random
import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from sentienguard.adapters.metric_blocks.store import BlockStore
from sentienguard.controlplane import queries
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import Readings
from sentienguard.stages.observe.promql import (
    aggregate,
    evaluate,
    functions,
    over_time,
    ranking,
    rates,
    spans,
)
from tests.servers import prometheus
from tests.support import effort, promql_compare, promql_series, promql_texts
from tests.support.promql_compare import Moments

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(prometheus.missing() is not None, reason=str(prometheus.missing())),
]

BEGIN = promql_series.BEGIN_MS
WHENS = (
    Moments(BEGIN + 3_000_000, BEGIN + 3_000_000),
    Moments(BEGIN + 517_123, BEGIN + 517_123),
    Moments(BEGIN + 60_000, BEGIN + 5_900_000, 73_000),
    Moments(BEGIN - 400_000, BEGIN + 7_000_000, 15_000),
)
RANDOM = effort.pick(250, thorough=20_000)
DOCUMENT = Path(__file__).parents[3] / "docs/reference/promql.md"


@pytest.fixture(scope="module")
def series():
    return promql_series.made()


@pytest.fixture(scope="module")
def server(tmp_path_factory, series):
    place = tmp_path_factory.mktemp("promql") / "prometheus"
    with (
        prometheus.holding(place, [promql_series.openmetrics(series)]) as address,
        httpx.Client(base_url=address, timeout=60, trust_env=False) as client,
    ):
        yield client


def differences(texts, source, server, whens=WHENS):
    found = []
    for text in texts:
        for when in whens:
            mine = promql_compare.ours(text, source, when)
            other = promql_compare.theirs(text, server, when)
            differs = promql_compare.difference(text, mine, other)
            if differs:
                found.append(f"{text} {when}: {differs}")
    return found


def test_every_part_of_the_subset_gives_what_prometheus_gives(series, server):
    found = differences(promql_texts.TEXTS, promql_series.Memory(series), server)
    assert not found, "\n".join(found[:20])


def test_what_prometheus_refuses_we_refuse(series, server):
    found = differences(promql_texts.REFUSED, promql_series.Memory(series), server)
    assert not found, "\n".join(found[:20])


@pytest.mark.timeout(effort.pick(60, thorough=1800))
def test_random_expressions_give_what_prometheus_gives(series, server):
    dice = random.Random(20260115)
    texts = [promql_texts.random_text(dice, dice.randrange(1, 4)) for _ in range(RANDOM)]
    source = promql_series.Memory(series)
    found = differences(texts, source, server)
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:20])
    answered = sum(
        promql_compare.ours(text, source, WHENS[2]) != promql_compare.REFUSED for text in texts
    )
    assert answered > RANDOM / 2, "most expressions must have an answer to compare"


def test_readings_that_went_through_the_store_give_the_same(tmp_path, series, server):
    store = BlockStore(tmp_path / "metrics.db")
    finite = [one for one in series if dict(one.labels)["__name__"] != "odd"]
    for one in finite:
        labels = {name: value for name, value in one.labels if name not in ("__name__", "host")}
        names = dict(one.labels)
        key = Series(names.get("host", ""), names["__name__"], "", tuple(labels.items()))
        store.load(key, Readings(one.times_ms, one.values))
    scope = queries.Scope(frozenset(), everything=True)
    source = queries._Visible(store, scope, {}, {})
    texts = [text for text in promql_texts.TEXTS if "odd" not in text]
    found = differences(texts, source, server, whens=WHENS[1:3])
    assert not found, "\n".join(found[:20])
    store.close()


def test_no_part_of_the_subset_is_left_out():
    """A function that is added needs an expression here and a line in the document."""
    document = DOCUMENT.read_text()
    names = {*functions.NAMES, *over_time.FUNCTIONS, *rates.FUNCTIONS, *aggregate.NAMES}
    for name in sorted(names):
        asked = re.compile(rf"\b{name}\b(?: by \(.*?\)| without \(.*?\))? ?\(")
        assert any(asked.search(text) for text in promql_texts.TEXTS), name
        assert f"`{name}" in document, name


PLANTED = {
    "rate reaches the ends less often": (rates, "_NEAR", 0.9, "rate(requests_total[1m])"),
    "NaN counts in a minimum": (
        over_time.np,
        "fmin",
        over_time.np.minimum,
        "min_over_time(odd[5m])",
    ),
    "infinity does not win": (functions, "smaller", over_time.np.minimum, "clamp_max(odd, -Inf)"),
    "the first of equal values stays": (ranking, "_ties", lambda *_: False, "topk(3, level)"),
    "names are kept": (evaluate, "unnamed", lambda labels: labels, "abs(level)"),
    "windows are open on the left": (spans, "_LEFT", "right", "count_over_time(capacity[45s])"),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_planted_mistake_is_seen(series, server, monkeypatch, planted):
    owner, name, wrong, text = planted
    source = promql_series.Memory(series)
    assert not differences([text], source, server)
    monkeypatch.setattr(owner, name, wrong)
    assert differences([text], source, server)


def test_the_data_crosses_an_hour_and_has_holes(series):
    first, last = (datetime.fromtimestamp(at / 1000, UTC) for at in (BEGIN, BEGIN + 6_000_000))
    assert first.hour != last.hour
    assert max(int((one.times_ms[1:] - one.times_ms[:-1]).max()) for one in series) > 300_000
