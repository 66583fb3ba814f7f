"""What the API says of series that other systems send of an enrolled host."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest

from sentienguard.controlplane import app, evaluation, outside_watch, telemetry
from sentienguard.controlplane import settings as settings_module
from sentienguard.controlplane.api import people
from sentienguard.controlplane.intake import Intake
from sentienguard.model.access import Role
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import Moment, Readings
from tests.contract import stores_nouns as nouns
from tests.support import accounts, centre_process

pytestmark = pytest.mark.integration
LABELS = (("environment", "drill"), ("job", "node"))
LOAD = Series("Web-1", "node_load1", "", LABELS)
LATE = Series("Web-1", "queue_depth", "", LABELS)
OTHER = Series("Web-1", "secret_depth", "", (("environment", "production"), ("job", "node")))
Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    data = tmp_path_factory.mktemp("outside")
    now = datetime.now(UTC)
    evaluation.prepare(data / "controlplane", data / "offline-keys", {}, now=now)
    settings = settings_module.Settings(embeddings="off")
    with (
        app.centre_in(data / "controlplane", settings, "https://127.0.0.1:1") as centre,
        telemetry.opened(centre, Intake(centre)) as inflow,
    ):
        agent = replace(nouns.agent(1), host="web-1", environment="drill")
        centre.agents.add(agent)
        for name, place in (("ada@local", "drill"), ("bob@local", "production")):
            accounts.add(centre.users, name, centre_process.PASSWORD, {place: Role.OBSERVER})
        minutes = np.arange(24 * 60, 0, -1)
        times = (int(now.timestamp() * 1000) - minutes * 60_000).astype(np.int64)
        for one in (LOAD, OTHER):
            centre.metrics.load(one, Readings(times, np.random.default_rng(3).normal(9, 1, 1440)))
        for where, series in centre.baselines.outside_series().items():
            centre.baselines.learn_outside(where, series, now)
        watch = inflow.watch
        assert watch is not None
        for period in range(outside_watch.STOPPED + 1):
            at = now + timedelta(seconds=period)
            values = [(LOAD, 9.5), *([(LATE, 3.0)] if period == 0 else [])]
            watch.note("drill", [Moment(at, values)])
            watch.note("production", [Moment(at, [(OTHER, 1.0)])])
            watch.judge(at)
        application = people.application(centre, None, inflow)

        async def get(path: str, name: str, params: Any) -> httpx.Response:
            transport = httpx.ASGITransport(application)
            async with httpx.AsyncClient(transport=transport, base_url="http://centre") as client:
                given = {"name": name, "password": centre_process.PASSWORD}
                token = (await client.post("/api/v1/auth/login", json=given)).json()["token"]
                headers = {"Authorization": f"Bearer {token}"}
                address = f"/api/v1/hosts/{agent.id}/{path}"
                return await client.get(address, params=params, headers=headers)

        yield lambda path, name="ada@local", **params: asyncio.run(get(path, name, params))


def test_series_are_listed_with_what_is_usual_and_since_when_they_stopped(ask: Ask) -> None:
    told = ask("outside").json()
    assert (told["total"], told["stopped"]) == (2, 1)
    late, load = told["items"]
    assert (late["metric"], late["baseline"]) == ("queue_depth", None)
    assert late["stopped_since"] == late["at"]
    assert (load["metric"], load["value"], load["stopped_since"]) == ("node_load1", 9.5, None)
    assert load["labels"] == dict(LABELS)
    assert load["baseline"]["mean"] == pytest.approx(9, abs=0.2)
    assert ask("outside", text="JOB='NODE'", limit=1).json()["total"] == 2
    assert [one["metric"] for one in ask("outside", stopped=True).json()["items"]] == [
        "queue_depth"
    ]


def test_readings_come_with_their_band(ask: Ask) -> None:
    told = ask("outside/readings", metric="node_load1", label="job=node", minutes=120).json()
    assert len(told["points"]) == pytest.approx(120, abs=3)
    assert told["baseline"]["samples"] > 500


def test_baselines_name_the_series_they_are_of(ask: Ask) -> None:
    told = ask("baselines").json()
    assert [(one["metric"], one["labels"]) for one in told["items"]] == [
        ("node_load1", dict(LABELS))
    ]
    assert ask("baselines", at="2026-02-12T03:00:00Z").json()["total"] == 1
    assert ask("baselines", text="nothing of it").json()["items"] == []


def test_no_label_leads_into_another_environment(ask: Ask) -> None:
    for labels in (["job=node"], ["environment=production", "job=node"]):
        told = ask("outside/readings", metric="secret_depth", label=labels, minutes=1440)
        assert (told.json()["points"], told.json()["baseline"]) == ([], None)
    assert "secret_depth" not in ask("outside").text + ask("baselines").text


@pytest.mark.parametrize("path", ["outside", "baselines", "outside/readings?metric=x&label=a=b"])
def test_who_may_not_see_the_environment_sees_no_host(ask: Ask, path: str) -> None:
    path, _, query = path.partition("?")
    assert ask(path, "bob@local", **httpx.QueryParams(query)).status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        {"label": "nothing"},
        {"label": "=x"},
        {"label": ["a=1", "a=2"]},
        {"label": ["a=1"] * 65},
        {"label": "a=1", "minutes": 0},
        {},
    ],
)
def test_labels_that_are_none_are_refused(ask: Ask, asked: Any) -> None:
    assert ask("outside/readings", metric="x", **asked).status_code in {400, 422}
