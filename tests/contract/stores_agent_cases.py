"""What ports.agent_store and episode_store promise, and opening a database, on every engine."""

from dataclasses import replace

import pytest

from sentienguard.adapters.sql_store import Database, open_database
from sentienguard.model import errors, ids
from sentienguard.ports.agent_store import NoSuchAgent, Sighting, TokenRefused
from sentienguard.ports.episode_store import Episode
from tests.contract import stores_nouns as nouns
from tests.contract.stores_nouns import NOW, later
from tests.contract.stores_threads import at_once


class AgentCases:
    def test_an_agent_is_found_by_id_and_by_key(self, database: Database) -> None:
        given = nouns.agent()
        database.agents.add(given)
        assert database.agents.get(given.id) == given
        assert database.agents.by_pin(given.tls_pin) == given

    def test_id_and_key_belong_to_one_agent(self, database: Database) -> None:
        given, other = nouns.agent(1), nouns.agent(2)
        database.agents.add(given)
        for taken in (given, replace(other, id=given.id), replace(other, tls_pin=given.tls_pin)):
            with pytest.raises(errors.Rejected, match="is taken"):
                database.agents.add(taken)
        assert database.agents.list() == (given,)

    def test_who_was_struck_off_is_found_by_its_id_alone(self, database: Database) -> None:
        given, other = nouns.agent(1), nouns.agent(2)
        for one in (given, other):
            database.agents.add(one)
        assert database.agents.strike_off(given.id, at=NOW)
        assert not database.agents.strike_off(given.id, at=later(9))
        assert database.agents.get(given.id) == replace(given, struck_off=NOW)
        with pytest.raises(NoSuchAgent):
            database.agents.by_pin(given.tls_pin)
        assert database.agents.by_pins([given.tls_pin, other.tls_pin]) == {other.tls_pin: other}
        assert database.agents.list() == (other,)

    def test_a_quarantine_keeps_its_first_reason_until_it_is_ended(
        self, database: Database
    ) -> None:
        given = nouns.agent()
        database.agents.add(given)
        assert not database.agents.release(given.id)
        assert database.agents.quarantine(given.id, why="two streams")
        assert not database.agents.quarantine(given.id, why="again")
        assert database.agents.by_pin(given.tls_pin) == replace(given, quarantined="two streams")
        assert database.agents.release(given.id)
        assert database.agents.get(given.id) == given

    def test_the_end_of_a_certificate_never_goes_back(self, database: Database) -> None:
        given = replace(nouns.agent(), certificate_ends=later(5))
        database.agents.add(given)
        assert database.agents.get(given.id) == given
        database.agents.renewed(given.id, ends=later(10))
        database.agents.renewed(given.id, ends=later(7))
        assert database.agents.get(given.id).certificate_ends == later(10)

    def test_an_agent_says_by_which_root_it_goes_and_samples_do_not_change_that(
        self, database: Database
    ) -> None:
        given = nouns.agent()
        database.agents.add(given)
        database.agents.seen_all([Sighting(given.id, later(1), root=3)])
        database.agents.seen_all([Sighting(given.id, later(2), seq=9)])
        database.agents.seen(given.id, at=later(3), seq=10)
        assert database.agents.get(given.id).root_version == 3
        database.agents.seen_all([Sighting(given.id, later(4), root=2)])  # restored from a backup
        assert database.agents.get(given.id).root_version == 2

    def test_an_unknown_agent_is_neither_renewed_nor_judged(self, database: Database) -> None:
        unknown = nouns.agent().id
        for call in (
            lambda: database.agents.renewed(unknown, ends=NOW),
            lambda: database.agents.quarantine(unknown, why="x"),
            lambda: database.agents.release(unknown),
            lambda: database.agents.strike_off(unknown, at=NOW),
        ):
            with pytest.raises(NoSuchAgent):
                call()

    def test_agents_are_listed_by_host(self, database: Database) -> None:
        hosts = ["b", "a", "Z", "ä"]
        for number, host in enumerate(hosts):
            database.agents.add(replace(nouns.agent(number), host=host))
        assert [agent.host for agent in database.agents.list()] == ["Z", "a", "b", "ä"]

    def test_the_hosts_of_an_environment_are_told_with_their_agents(
        self, database: Database
    ) -> None:
        given = [replace(nouns.agent(number), host=f"h{number // 2}") for number in range(4)]
        other = replace(nouns.agent(4), environment="elsewhere")
        gone = replace(nouns.agent(5), host="gone")
        for one in (*given, other, gone):
            database.agents.add(one)
        database.agents.strike_off(gone.id, at=NOW)
        place = given[0].environment
        listed = [one for one in database.agents.list() if one.environment == place]
        assert database.agents.hosts(place) == {one.host: one.id for one in listed}
        assert list(database.agents.hosts(place)) == ["h0", "h1"]
        assert database.agents.hosts("nowhere") == {}
        database.agents.add(replace(nouns.agent(6), host="h0", environment="elsewhere"))
        assert database.agents.environments("h0") == {place, "elsewhere"}
        assert database.agents.environments("gone") == frozenset()

    def test_what_an_agent_reached_never_goes_back(self, database: Database) -> None:
        given = nouns.agent()
        database.agents.add(given)
        database.agents.seen(given.id, at=later(10), seq=7)
        database.agents.seen(given.id, at=later(5), seq=3)
        database.agents.seen(given.id, at=later(6))
        database.agents.events_through(given.id, 12)
        database.agents.events_through(given.id, 4)
        assert database.agents.get(given.id) == replace(
            given, last_seen=later(10), last_seq=7, events_through=12
        )

    def test_many_agents_are_found_by_their_keys_and_unknown_keys_are_left_out(
        self, database: Database
    ) -> None:
        given = [nouns.agent(number) for number in range(3)]
        for one in given:
            database.agents.add(one)
        asked = [given[0].tls_pin, given[2].tls_pin, "00"]
        found = database.agents.by_pins(asked)
        assert found == {one.tls_pin: one for one in (given[0], given[2])}
        assert database.agents.by_pins([]) == {}

    def test_what_many_agents_reached_never_goes_back(self, database: Database) -> None:
        given = [nouns.agent(number) for number in range(3)]
        for one in given:
            database.agents.add(one)
        database.agents.seen_all([Sighting(one.id, later(10), 7) for one in given[:2]])
        database.agents.seen_all([Sighting(one.id, later(5)) for one in given])
        database.agents.seen_all([])
        assert [database.agents.get(one.id) for one in given] == [
            replace(given[0], last_seen=later(10), last_seq=7),
            replace(given[1], last_seen=later(10), last_seq=7),
            replace(given[2], last_seen=later(5), last_seq=0),
        ]

    def test_of_many_none_is_kept_where_one_is_unknown(self, database: Database) -> None:
        given = nouns.agent()
        database.agents.add(given)
        unknown = Sighting(ids.AgentId("nobody"), later(10), 7)
        with pytest.raises(NoSuchAgent, match="nobody"):
            database.agents.seen_all([Sighting(given.id, later(10), 7), unknown])
        assert database.agents.get(given.id) == given

    def test_a_number_of_more_than_64_bits_is_rejected(self, database: Database) -> None:
        given = nouns.agent()
        database.agents.add(given)
        with pytest.raises(errors.Rejected, match="64 bits"):
            database.agents.seen(given.id, at=NOW, seq=1 << 63)

    def test_an_unknown_agent_is_said_to_be_unknown(self, database: Database) -> None:
        unknown = ids.AgentId("nobody")
        for call in (
            lambda: database.agents.get(unknown),
            lambda: database.agents.by_pin("00"),
            lambda: database.agents.seen(unknown, at=NOW),
            lambda: database.agents.events_through(unknown, 1),
        ):
            with pytest.raises(NoSuchAgent):
                call()

    @pytest.mark.parametrize(
        ("bound_to", "asks", "refusal"),
        [
            (None, ("production", "web-1", 0), None),
            ("web-1", ("production", "web-1", 59.999999), None),
            ("web-1", ("production", "web-2", 0), "for host 'web-1'"),
            (None, ("staging", "web-1", 0), "for environment 'production', not 'staging'"),
            (None, ("production", "web-1", 60), "expired"),
        ],
    )
    def test_a_join_token_is_good_for_what_it_was_made_for(
        self,
        database: Database,
        bound_to: str | None,
        asks: tuple[str, str, float],
        refusal: str | None,
    ) -> None:
        database.agents.add_token(
            "t0ken", environment="production", host=bound_to, expires_at=later(60)
        )
        environment, host, seconds = asks

        def redeem() -> None:
            database.agents.redeem_token(
                "t0ken", environment=environment, host=host, at=later(seconds)
            )

        if refusal is None:
            redeem()
            refusal = "was used"
        with pytest.raises(TokenRefused, match=refusal) as refused:
            redeem()
        assert "t0ken" not in str(refused.value)

    @pytest.mark.parametrize("token", ["other", "", "\x00", "\ud800"])
    def test_an_unknown_join_token_is_refused(self, database: Database, token: str) -> None:
        with pytest.raises(TokenRefused, match="unknown"):
            database.agents.redeem_token(token, environment="production", host="h", at=NOW)

    def test_a_refused_attempt_does_not_use_a_token_up(self, database: Database) -> None:
        database.agents.add_token("t", environment="production", host=None, expires_at=later(60))
        with pytest.raises(TokenRefused):
            database.agents.redeem_token("t", environment="staging", host="h", at=NOW)
        database.agents.redeem_token("t", environment="production", host="h", at=NOW)

    def test_a_join_token_enrols_one_of_twenty_that_ask_at_once(self, database: Database) -> None:
        database.agents.add_token("t", environment="production", host=None, expires_at=later(60))

        def work(number: int) -> bool:
            try:
                database.agents.redeem_token(
                    "t", environment="production", host=f"h{number}", at=NOW
                )
            except TokenRefused:
                return False
            return True

        assert sum(at_once(work)) == 1

    def test_a_join_token_is_made_once(self, database: Database) -> None:
        database.agents.add_token("t", environment="production", host=None, expires_at=later(60))
        with pytest.raises(errors.Rejected, match="made before"):
            database.agents.add_token("t", environment="staging", host=None, expires_at=later(9))


class EpisodeCases:
    def test_an_episode_stands_until_it_is_cleared(self, database: Database) -> None:
        first, second = (
            Episode(
                ids.IncidentId(f"inc_{number}"),
                nouns.AGENT,
                ids.Fingerprint(f"{number:016x}"),
                later(number),
                '{"v":1,"host":"web-1 \\u0000 日本語"}',
            )
            for number in (1, 2)
        )
        for given in (second, first, replace(first, sample="the same incident again")):
            database.episodes.start(given)
        assert database.episodes.standing(nouns.AGENT) == (first, second)
        assert database.episodes.standing(ids.AgentId("another")) == ()
        database.episodes.clear(first.incident, at=later(60))
        database.episodes.clear(ids.IncidentId("inc_none"), at=later(60))
        assert database.episodes.standing(nouns.AGENT) == (second,)
        assert database.episodes.sample_of(first.incident) == first.sample
        assert database.episodes.sample_of(ids.IncidentId("inc_none")) is None

    def test_what_a_detector_remembers_is_replaced(self, database: Database) -> None:
        assert database.episodes.detector_state(nouns.AGENT) is None
        for state in ('{"a":1}', '{"a":2}'):
            database.episodes.save_detector_state(nouns.AGENT, state)
            assert database.episodes.detector_state(nouns.AGENT) == state

    def test_what_a_lane_learned_is_kept_beside_what_the_detector_remembers(
        self, database: Database
    ) -> None:
        assert database.episodes.learned(nouns.AGENT) is None
        database.episodes.save_detector_state(nouns.AGENT, "{}")
        database.episodes.save_learned(nouns.AGENT, "lane")
        assert database.episodes.learned(nouns.AGENT) == "lane"
        assert database.episodes.detector_state(nouns.AGENT) == "{}"

    def test_states_of_many_are_those_that_are_kept_one_by_one(self, database: Database) -> None:
        one, other = ids.AgentId("one"), ids.AgentId("other")
        database.episodes.save_detector_state(other, "before")
        database.episodes.save_states({one: "1", other: "2"}, {other: "learned"})
        database.episodes.save_states({}, {})
        assert [database.episodes.detector_state(name) for name in (one, other)] == ["1", "2"]
        assert [database.episodes.learned(name) for name in (one, other)] == [None, "learned"]

    def test_who_is_missed_is_kept_beside_what_detectors_remember(self, database: Database) -> None:
        assert database.episodes.missed() is None
        database.episodes.save_detector_state(nouns.AGENT, "{}")
        for state in ("[1]", "[2]"):
            database.episodes.save_missed(state)
            assert database.episodes.missed() == state
        assert database.episodes.detector_state(nouns.AGENT) == "{}"

    def test_one_at_a_time_calls_the_roll(self, database: Database) -> None:
        with database.episodes.roll_call() as first, database.episodes.roll_call() as second:
            assert (first, second) == (True, not database.is_shared)
        with database.episodes.roll_call() as after:
            assert after


class OpeningCases:
    def test_eight_control_planes_that_start_at_once_make_the_tables_once(
        self, empty_url: str
    ) -> None:
        opened = at_once(lambda _: open_database(empty_url), 8)
        try:
            numbers = [database.orders.next_seq(nouns.AGENT) for database in opened]
        finally:
            for database in opened:
                database.close()
        assert numbers == list(range(1, 9))

    def test_a_closed_database_says_so(self, database: Database) -> None:
        database.close()
        with pytest.raises(errors.Broken, match="was closed"):
            database.incidents.unfinished()
        with pytest.raises(errors.Broken, match="was closed"):
            database.orders.next_seq(nouns.AGENT)
