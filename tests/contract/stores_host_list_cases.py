"""What ports.agent_store promises of lists of hosts, on every engine.

What a list should have is said by plain Python over all agents, in `expected`.
"""

import contextlib
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import text

from sentienguard.adapters.sql_store import Database, open_database
from sentienguard.model import errors
from sentienguard.ports.agent_store import Agent, AgentFilter, Health
from tests.contract import stores_nouns as nouns
from tests.contract.stores_nouns import NOW, later

SPOKE = later(500)
ALL = frozenset({"prod", "staging"})
SILENT_BEFORE = later(100)
EVERY = AgentFilter(ALL, SILENT_BEFORE)
HOSTILE = (
    "%", "_", "!", "web_1", "100%", "'", "' OR 1=1 --", '"', "\\", "a!b", ":place_0",
    "x'; DROP TABLE agents; --", "Straße", "STRASSE", "İ", "ÅNGSTRÖM", "日本", "team=",
    "=", "{", " ",
)  # fmt: skip


def agent(
    number: int,
    host: str,
    environment: str = "prod",
    *,
    tags: Mapping[str, str] | None = None,
    seen: datetime | None = SPOKE,
) -> Agent:
    return replace(
        nouns.agent(number), host=host, environment=environment, tags=tags or {}, last_seen=seen
    )


HOSTS = (
    agent(1, "web-2"), agent(2, "web-1", tags={"team": "Shop"}), agent(3, "db-1", "staging"),
    agent(4, "db-2", seen=later(99)), agent(5, "old 7"), agent(6, "quiet-1", seen=None),
)  # fmt: skip


def keep(database: Database, agents: tuple[Agent, ...] = HOSTS, *, bad: str = "db-2 old 7") -> None:
    for one in agents:
        database.agents.add(one)
        if one.host in bad:
            database.agents.quarantine(one.id, why="copied")


def names(database: Database, where: AgentFilter) -> list[str]:
    return [one.host for one in database.agents.page(where, cursor=None, limit=None).agents]


def expected(agents: tuple[Agent, ...], wanted: str) -> list[str]:
    """The hosts in which a text stands, letters of either case."""
    said = {
        one.host: " ".join(
            (one.host, one.environment, *(f"{tag}={value}" for tag, value in one.tags.items()))
        )
        for one in agents
    }
    return sorted(
        host for host, words in said.items() if wanted.strip().casefold() in words.casefold()
    )


class HostListCases:
    def test_without_a_limit_all_come_those_in_quarantine_first(self, database: Database) -> None:
        keep(database)
        page = database.agents.page(EVERY, cursor=None, limit=None)
        assert [one.host for one in page.agents] == [
            "db-2", "old 7", "db-1", "quiet-1", "web-1", "web-2",
        ]  # fmt: skip
        assert page.next_cursor is None
        assert page.agents[0] == database.agents.get(HOSTS[3].id)

    @pytest.mark.parametrize(
        ("narrowed", "found"),
        [
            ({"text": " WEB "}, ["web-1", "web-2"]),
            ({"text": "team=shop"}, ["web-1"]),
            ({"text": "staging"}, ["db-1"]),
            ({"text": "prod team"}, ["web-1"]),
            ({"environment": "staging"}, ["db-1"]),
            ({"environment": "stag"}, []),
            ({"health": Health.QUARANTINE}, ["db-2", "old 7"]),
            ({"health": Health.SILENT}, ["db-2", "quiet-1"]),
            ({"health": Health.HEARD}, ["db-1", "web-1", "web-2"]),
            ({"text": "db", "environment": "prod", "health": Health.SILENT}, ["db-2"]),
        ],
    )
    def test_a_list_of_hosts_is_narrowed(
        self, database: Database, narrowed: dict[str, str | Health], found: list[str]
    ) -> None:
        keep(database)
        assert names(database, replace(EVERY, **narrowed)) == found

    def test_who_spoke_at_the_very_moment_is_not_silent_yet(self, database: Database) -> None:
        keep(database, (agent(1, "late", seen=later(99.999999)), agent(2, "just", seen=later(100))))
        assert names(database, replace(EVERY, health=Health.SILENT)) == ["late"]

    def test_counts_are_of_what_text_and_environment_match_whatever_health_is_asked(
        self, database: Database
    ) -> None:
        keep(database)
        for health in (None, *Health):
            counts, every = database.agents.counts(replace(EVERY, text="db", health=health))
            assert counts == {Health.QUARANTINE: 1, Health.SILENT: 1, Health.HEARD: 1}
            assert every == 2
        assert database.agents.counts(replace(EVERY, text="nothing")) == (
            Counter(dict.fromkeys(Health, 0)),
            0,
        )

    def test_nothing_is_told_of_an_environment_that_is_not_to_be_seen(
        self, database: Database
    ) -> None:
        keep(database)
        staging = replace(EVERY, within=frozenset({"staging"}))
        for text_ in ("", "web", "prod", "%", "' OR 1=1 --"):
            where = replace(staging, text=text_)
            assert set(names(database, where)) <= {"db-1"}
            assert database.agents.counts(where)[1] <= 1
        assert names(database, replace(staging, environment="prod")) == []
        nowhere = replace(EVERY, within=frozenset())
        assert names(database, nowhere) == []
        assert database.agents.counts(nowhere)[1] == 0
        page = database.agents.page(staging, cursor=None, limit=1)
        assert page.next_cursor is None, "what follows elsewhere is not to be known"

    @pytest.mark.parametrize("wanted", HOSTILE)
    def test_a_text_is_looked_for_as_it_is_written(self, database: Database, wanted: str) -> None:
        hosts = tuple(
            agent(number, f"{number:02}-{name}", tags={"team": f"x{name}"} if number % 2 else {})
            for number, name in enumerate((*HOSTILE, "plain", "straße", "i̇"))
        )
        keep(database, hosts, bad="none")
        assert names(database, replace(EVERY, text=wanted)) == expected(hosts, wanted)
        assert database.agents.counts(replace(EVERY, text=wanted))[1] == len(
            expected(hosts, wanted)
        )
        assert len(database.agents.list()) == len(hosts)

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    def test_pages_together_are_the_whole_in_its_order(
        self, database: Database, limit: int
    ) -> None:
        drawn = random.Random(limit)
        letters = "aAzZäÄ0-_ 日"
        hosts = tuple(
            agent(number, "".join(drawn.choices(letters, k=drawn.randint(1, 3))))
            for number in range(23)
        )
        for one in hosts:
            database.agents.add(one)
            if drawn.random() < 0.4:
                database.agents.quarantine(one.id, why="copied")
        kept = [database.agents.get(one.id) for one in hosts]
        whole = sorted(kept, key=lambda one: (not one.quarantined, one.host, one.id))
        found: list[Agent] = []
        cursor = None
        for _ in range(len(hosts)):
            page = database.agents.page(EVERY, cursor=cursor, limit=limit)
            assert 0 < len(page.agents) <= limit
            found += page.agents
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == whole

    def test_a_host_that_went_meanwhile_shifts_nothing(self, database: Database) -> None:
        keep(database)
        first = database.agents.page(EVERY, cursor=None, limit=3)
        for gone in (HOSTS[3], HOSTS[2]):
            database.agents.strike_off(gone.id, at=NOW)
        rest = database.agents.page(EVERY, cursor=first.next_cursor, limit=3)
        assert [one.host for one in rest.agents] == ["quiet-1", "web-1", "web-2"]

    @pytest.mark.parametrize("cursor", ["", "x", "!!", "ü", "MSBh", "eCBhIGI", "_w"])
    def test_a_cursor_of_nobody_s_is_refused_with_the_way_out(
        self, database: Database, cursor: str
    ) -> None:
        with pytest.raises(errors.Rejected, match="begin again without a cursor"):
            database.agents.page(EVERY, cursor=cursor, limit=1)

    def test_who_an_older_release_enrolled_is_found_too(self, database: Database) -> None:
        keep(database)
        with database._connections.write() as transaction:
            transaction.change(text("UPDATE agents SET search = NULL"))
        assert names(database, replace(EVERY, text="WEB")) == ["web-1", "web-2"]
        assert names(database, replace(EVERY, text="shop")) == ["web-1"]

    def test_an_upgrade_makes_all_found_that_were_there_before(self, url: str) -> None:
        with contextlib.closing(open_database(url)) as database:
            keep(database)
            with database._connections.write() as transaction:
                transaction.change(text("ALTER TABLE agents DROP COLUMN search"))
                transaction.change(text("UPDATE alembic_version SET version_num = '0021'"))
        with contextlib.closing(open_database(url)) as database:
            assert names(database, replace(EVERY, text="TEAM=shop")) == ["web-1"]
