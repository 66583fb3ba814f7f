"""The context of an incident: bounded, of its environment, redacted, and read only."""

import dataclasses
from datetime import timedelta
from types import SimpleNamespace

import pytest

from sentienguard.controlplane.app_context import loki_of, repositories_of
from sentienguard.controlplane.context import Contexts
from sentienguard.controlplane.known_changes import KnownChanges
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.model import errors
from sentienguard.model.evidence import Changed
from sentienguard.model.telemetry import LogLine
from sentienguard.ports import context
from sentienguard.ports.context import ContextAway, QuestionWrong
from sentienguard.ports.log_search import FoundLine, LogSearchAway
from sentienguard.stages.observe.promql.faults import QueryWrong
from tests.support import diagnosis_world as worlds
from tests.support import named_secrets

SECRET = "password=hunter2"


class Queries:
    """Remembers what was asked."""

    def __init__(self, result=(), problem=None):
        self.result, self.problem, self.asked = result, problem, []

    def ranged(self, asked, text, span, step):
        self.asked.append((asked, text, span, step))
        if self.problem:
            raise self.problem
        return {"result": list(self.result)}


def around(world, incident, queries=None, elsewhere=None):
    sources = world.sources()
    samples = SimpleNamespace(recent_samples=lambda agent: world.samples.get(agent, ()))
    return Contexts(
        queries or Queries(),
        samples,
        agents=SimpleNamespace(list=lambda: world.agents),
        outside_logs=sources.outside_logs,
        changes=sources.changes,
        elsewhere=elsewhere,
    ).of(incident, worlds.NOW)


def test_readings_are_asked_in_the_incident_s_environment_alone():
    world, incident = worlds.shop()
    one = {"metric": {"host": "db-1", "note": SECRET}, "values": [[1770895500, "4.5"]]}
    queries = Queries([one] * 30)
    answer = around(world, incident, queries).query_metrics("up")
    [(asked, _, (first, last), step)] = queries.asked
    assert asked.scope.environments == {"production"}
    assert not asked.scope.everything
    assert (last - first) // step + 1 == context.MOST_POINTS
    assert len(answer.series) == context.MOST_SERIES
    assert answer.more
    assert "hunter2" not in str(answer)
    assert answer.series[0].points[0][1] == 4.5


@pytest.mark.parametrize(
    ("problem", "means"),
    [(QueryWrong("no"), QuestionWrong), (errors.Unavailable("later"), ContextAway)],
)
def test_what_goes_wrong_is_said_as_the_port_has_it(problem, means):
    world, incident = worlds.shop()
    with pytest.raises(means):
        around(world, incident, Queries(problem=problem)).query_metrics("up")


def test_lines_come_from_all_places_redacted_the_newest_last():
    world, incident = worlds.shop()
    world.line("orders", "app-1", 60, f"slow {SECRET}")
    world.line("other", "app-1", 50, "not of it")
    sample = SimpleNamespace(
        host="orders", log_lines=[LogLine(worlds.NOW - timedelta(seconds=30), "/var/log/x", "late")]
    )
    world.host("orders")
    world.samples["agent-orders"] = [sample]
    found = FoundLine(worlds.NOW - timedelta(seconds=40), "f", f"from Loki {SECRET}")
    elsewhere = SimpleNamespace(lines=lambda *_, limit: [found])
    answer = around(world, incident, elsewhere=elsewhere).fetch_recent_logs(
        "orders", timedelta(minutes=5)
    )
    assert [one.text.split()[0] for one in answer.lines] == ["slow", "from", "late"]
    assert "hunter2" not in str(answer)
    assert not answer.more


@pytest.mark.parametrize("timeframe", [timedelta(0), timedelta(days=2), -timedelta(hours=1)])
def test_a_timeframe_of_nothing_or_of_days_is_refused(timeframe):
    world, incident = worlds.shop()
    with pytest.raises(QuestionWrong):
        around(world, incident).fetch_recent_logs("orders", timeframe)


def test_an_agent_of_another_environment_has_no_lines():
    world, incident = worlds.shop()
    world.host("secret-1", environment="staging")
    line = LogLine(worlds.NOW - timedelta(seconds=3), "f", "x")
    world.samples["agent-secret-1"] = [SimpleNamespace(host="secret-1", log_lines=[line])]
    answer = around(world, incident).fetch_recent_logs("secret-1", timedelta(minutes=5))
    assert answer.lines == ()


def test_deployments_are_those_of_the_day_and_the_environment():
    world, incident = worlds.shop()
    world.change("orders", 300, summary=SECRET)
    world.change("orders", 90_000)
    asked = around(world, incident)
    answer = asked.list_recent_deployments("production")
    assert [(one.service, one.kind) for one in answer.deployments] == [("orders", "deployment")]
    assert "hunter2" not in str(answer)
    with pytest.raises(QuestionWrong):
        asked.list_recent_deployments("staging")


def test_commits_count_beside_what_was_told_once_and_redacted():
    world, _ = worlds.shop()
    world.change("orders", 300)
    told = world.sources().changes
    commit = Changed(
        "c", worlds.NOW - timedelta(seconds=400), "orders", "commit", "abc", "a@b.example", SECRET
    )
    again = dataclasses.replace(commit, id="d", version="v2")
    commits = SimpleNamespace(between=lambda *_, limit: [commit, again])
    found = KnownChanges(told, commits).between(
        "production", worlds.NOW - timedelta(days=1), worlds.NOW, limit=5
    )
    assert [one.kind for one in found] == ["deploy", "commit"]
    assert "hunter2" not in str(found)
    assert "b.example" not in str(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loki_url", "ftp://logs"),
        ("loki_url", "http://ann:secret@logs:3100"),
        ("loki_url", "https://ann@logs:3100"),
        ("loki_url", "https://ann:secret@[logs"),
        ("loki_key", "vault:sg#loki"),
        ("loki_selector", '{service_name="$service"}'),
        ("loki_key_file", "/nowhere/at/all"),
    ],
)
def test_a_loki_that_would_show_too_much_or_cannot_be_asked_is_refused(name, value):
    wanted = {"loki_url": "http://logs:3100", name: value}
    with pytest.raises(SettingWrong, match=name):
        loki_of(dataclasses.replace(Settings(), **wanted), named_secrets.Stores())


def test_a_password_in_the_address_of_loki_is_sent_apart_and_kept_out_of_errors():
    settings = dataclasses.replace(Settings(), loki_url="https://ann:pass%40word@logs.invalid")
    asked = loki_of(settings, named_secrets.Stores())
    with pytest.raises(LogSearchAway) as away:
        asked.lines("prod", "orders", worlds.NOW, worlds.NOW, limit=5)
    assert "logs.invalid" in str(away.value)
    assert "word" not in str(away.value)


def test_repositories_are_named_with_their_service():
    found = repositories_of(dataclasses.replace(Settings(), git_repositories="a=/x, b=/y"))
    assert {name: str(place) for name, place in found.items()} == {"a": "/x", "b": "/y"}
    with pytest.raises(SettingWrong):
        repositories_of(dataclasses.replace(Settings(), git_repositories="a=relative"))
