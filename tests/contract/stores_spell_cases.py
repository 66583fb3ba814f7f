"""What ports.spell_store promises, on every engine."""

from dataclasses import replace

from sentienguard.adapters.sql_store import Database
from sentienguard.model import ids
from sentienguard.model.incident import Incident, Outcome, Status
from sentienguard.model.order import ExecutionOutcome
from sentienguard.model.target import TargetKind
from sentienguard.ports.episode_store import Episode
from tests.contract import stores_nouns as nouns
from tests.contract.stores_nouns import NOW, later


def begin(database: Database, number: int, *, agent: ids.AgentId = nouns.AGENT) -> Incident:
    """Open an incident with its episode, `number` seconds after the first."""
    opened = replace(nouns.incident(number), agent=agent)
    opened = replace(opened, fingerprint=ids.Fingerprint(f"{opened.fingerprint}-{agent}"))
    database.incidents.open(opened)
    episode = Episode(opened.id, agent, opened.fingerprint, later(number), "")
    database.episodes.start(episode)
    return opened


def close(database: Database, incident: Incident, outcome: Outcome, seconds: float) -> None:
    database.incidents.move(incident.id, Status.ANALYZING, summary="")
    at = later(seconds)
    database.incidents.move(incident.id, Status.CLOSED, summary="", outcome=outcome, at=at)


class SpellCases:
    def test_a_spell_is_told_from_episode_incident_and_order(self, database: Database) -> None:
        opened = begin(database, 1)
        given = nouns.order(1)
        database.orders.release(given, at=later(5))
        database.episodes.clear(opened.id, at=later(50))
        found = database.spells.of(opened.id)
        assert found is not None
        assert (found.started_at, found.ended_at) == (later(1), later(50))
        assert (found.remedied_at, found.order) == (later(5), given.id)
        assert (found.playbook, found.counts) == (nouns.DIGEST, None)
        assert found.kind == TargetKind("web/system")
        assert (found.metric, found.subject) == ("system.disk_usage_percent", "/var")
        assert found.people_at is None
        assert database.spells.of(ids.IncidentId("inc_none")) is None

    def test_what_touched_nothing_is_no_remedy(self, database: Database) -> None:
        for number in (1, 2, 3):
            begin(database, number, agent=ids.AgentId(f"agent-{number}"))
        dry, withdrawn, refused = (nouns.order(number) for number in (1, 2, 3))
        database.orders.release(replace(dry, dry_run=True), at=later(5))
        database.orders.release(withdrawn, at=later(5))
        database.orders.withdraw(withdrawn.id)
        database.orders.release(refused, at=later(5))
        database.orders.refused(refused.id, because="guard")
        found = database.spells.around("production", since=NOW, until=later(9))
        assert [one.remedied_at for one in found] == [None] * 3

    def test_of_several_orders_the_last_is_the_remedy(self, database: Database) -> None:
        opened = begin(database, 1)
        ruled_out = nouns.order(1)
        other = ids.Digest("sha256:" + "7" * 64)
        second = replace(ruled_out, id=ids.OrderId("ord_second"), digest=other)
        for given, seconds in ((ruled_out, 5), (second, 9)):
            database.orders.release(given, at=later(seconds))
        found = database.spells.of(opened.id)
        assert found is not None
        assert (found.order, found.remedied_at) == (second.id, later(9))
        assert len(database.spells.around("production", since=NOW, until=later(9))) == 1
        database.orders.refused(second.id, because="guard")
        found = database.spells.of(opened.id)
        assert found is not None
        assert found.order is None

    def test_a_parameter_that_says_it_is_a_dry_run_makes_it_none(self, database: Database) -> None:
        opened = begin(database, 1)
        given = replace(nouns.order(1), parameters={"mount": '"dry_run":true'})
        database.orders.release(given, at=later(5))
        found = database.spells.of(opened.id)
        assert found is not None
        assert found.remedied_at == later(5)

    def test_spells_around_are_of_one_environment_and_time_newest_first(
        self, database: Database
    ) -> None:
        wanted = [
            begin(database, number, agent=ids.AgentId(f"agent-{number}")) for number in (1, 5, 9)
        ]
        found = database.spells.around("production", since=later(2), until=later(9))
        assert [one.incident for one in found] == [wanted[2].id, wanted[1].id]
        assert database.spells.around("staging", since=NOW, until=later(99)) == ()

    def test_spells_before_are_of_one_symptom_and_say_when_people_had_it(
        self, database: Database
    ) -> None:
        first = begin(database, 1)
        close(database, first, Outcome.ESCALATED, 30)
        second = begin(database, 100)
        close(database, second, Outcome.SELF_RECOVERED, 130)
        begin(database, 101, agent=ids.AgentId("another"))
        found = database.spells.before(nouns.AGENT, first.fingerprint, since=NOW)
        assert [one.incident for one in found] == [second.id, first.id]
        assert [one.people_at for one in found] == [None, later(30)]
        since = later(50)
        late = database.spells.before(nouns.AGENT, first.fingerprint, since=since)
        assert [one.incident for one in late] == [second.id]

    def test_a_credit_is_taken_back_and_never_given_back(self, database: Database) -> None:
        opened = begin(database, 1)
        given = nouns.order(1)
        database.orders.release(given, at=later(5))
        database.orders.finished(nouns.report(given, outcome=ExecutionOutcome.SUCCESS))
        close(database, opened, Outcome.RESOLVED, 60)
        judged = database.spells.judged

        def counts() -> list[bool | None]:
            ended = database.orders.ended(nouns.DIGEST, "production")
            spell = database.spells.of(opened.id)
            assert spell is not None
            assert [spell.counts] == [one.counts for one in ended]
            assert [one.kind for one in ended] == [TargetKind("web/")]
            return [spell.counts]

        assert counts() == [None]
        assert judged(given.id, counts=True, because="nothing explains it")
        assert counts() == [True]
        assert not judged(given.id, counts=True, because="again")
        assert judged(given.id, counts=False, because="a peer recovered")
        assert not judged(given.id, counts=True, because="no")
        assert counts() == [False]
