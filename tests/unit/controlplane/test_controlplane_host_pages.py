"""Pages of hosts: nothing twice, nothing left out, and no count of what was not to be seen."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.controlplane.api import host_pages
from sentienguard.controlplane.api.host_pages import Health, Wanted
from sentienguard.model import errors
from sentienguard.model.ids import AgentId
from sentienguard.ports.agent_store import Agent

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def agent(name: str, environment: str = "prod", *, bad: str = "", **tags: str) -> Agent:
    return Agent(AgentId(f"id-{name}"), name, environment, tags, "", "", NOW, quarantined=bad)


HOSTS = [
    agent("web-2"), agent("web-1", team="Shop"), agent("db-1", "staging"),
    agent("db-2", bad="copied"), agent("old 7", bad="copied"), agent("quiet-1"),
]  # fmt: skip
QUIET = {"quiet-1", "db-2"}


def silent(one: Agent) -> bool:
    return one.host in QUIET


def names(page: host_pages.Page) -> list[str]:
    return [one.host for one in page.hosts]


def test_without_a_limit_all_come_those_in_quarantine_first() -> None:
    page = host_pages.page(HOSTS, Wanted(), silent)
    assert names(page) == ["db-2", "old 7", "db-1", "quiet-1", "web-1", "web-2"]
    assert page.next_cursor is None
    assert page.all == 6


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(text=" WEB "), ["web-1", "web-2"]),
        (Wanted(text="team=shop"), ["web-1"]),
        (Wanted(text="staging"), ["db-1"]),
        (Wanted(environment="staging"), ["db-1"]),
        (Wanted(environment="stag"), []),
        (Wanted(health=Health.QUARANTINE), ["db-2", "old 7"]),
        (Wanted(health=Health.SILENT), ["db-2", "quiet-1"]),
        (Wanted(health=Health.HEARD), ["db-1", "web-1", "web-2"]),
        (Wanted("db", "prod", Health.SILENT), ["db-2"]),
    ],
)
def test_a_list_is_narrowed(wanted: Wanted, found: list[str]) -> None:
    assert names(host_pages.page(HOSTS, wanted, silent)) == found


def test_counts_are_of_what_text_and_environment_match_whatever_else_is_left_out() -> None:
    for health in (None, *Health):
        page = host_pages.page(HOSTS, Wanted("db", health=health), silent, limit=1)
        assert page.counts == {Health.QUARANTINE: 1, Health.SILENT: 1, Health.HEARD: 1}
        assert page.all == 2


@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=4), st.booleans()), unique=True, max_size=30),
    st.integers(1, 7),
)
def test_pages_together_are_the_whole(drawn: list[tuple[str, bool]], limit: int) -> None:
    hosts = [
        replace(agent(name, bad="x" if bad else ""), id=AgentId(f"{at:03}"))
        for at, (name, bad) in enumerate(drawn)
    ]
    whole = host_pages.page(hosts, Wanted(), silent).hosts
    found: list[Agent] = []
    cursor = None
    for _ in range(len(hosts) + 1):
        page = host_pages.page(hosts, Wanted(), silent, cursor=cursor, limit=limit)
        found += page.hosts
        assert len(page.hosts) <= limit
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == list(whole)


def test_a_host_that_went_meanwhile_shifts_nothing() -> None:
    first = host_pages.page(HOSTS, Wanted(), silent, limit=3)
    left = [one for one in HOSTS if one.host not in {"db-2", "db-1"}]
    rest = host_pages.page(left, Wanted(), silent, cursor=first.next_cursor, limit=3)
    assert names(rest) == ["quiet-1", "web-1", "web-2"]


@pytest.mark.parametrize("cursor", ["", "x", "!!", "ü", "MSBh", "eCBhIGI", "_w"])
def test_a_cursor_of_nobody_s_is_refused_with_the_way_out(cursor: str) -> None:
    with pytest.raises(errors.Rejected, match="begin again without a cursor"):
        host_pages.page(HOSTS, Wanted(), silent, cursor=cursor)
