"""Run the cases of the stores on PostgreSQL, and what only a server can do wrong."""

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import text

from sentienguard.adapters.sql_store import Database, open_database
from sentienguard.adapters.sql_store.database import WAIT_FOR_OTHER_MIGRATIONS
from sentienguard.adapters.sql_store.incidents import UNFINISHED
from sentienguard.model import errors
from tests.contract import (
    stores_access_cases,
    stores_agent_cases,
    stores_alert_cases,
    stores_care_cases,
    stores_draft_cases,
    stores_emergency_cases,
    stores_figures_cases,
    stores_forgetting_cases,
    stores_host_list_cases,
    stores_incident_cases,
    stores_notice_cases,
    stores_nouns,
    stores_order_cases,
    stores_outside_cases,
    stores_people_cases,
    stores_spell_cases,
)
from tests.servers import postgresql

pytestmark = pytest.mark.integration


class TestIncidents(stores_incident_cases.IncidentCases):
    pass


class TestOrders(stores_order_cases.OrderCases):
    pass


class TestSpells(stores_spell_cases.SpellCases):
    pass


class TestApprovals(stores_people_cases.ApprovalCases):
    pass


class TestAgents(stores_agent_cases.AgentCases):
    pass


class TestHostLists(stores_host_list_cases.HostListCases):
    pass


class TestUsers(stores_people_cases.UserCases):
    pass


class TestPeople(stores_forgetting_cases.PeopleCases):
    pass


class TestSessions(stores_access_cases.SessionCases):
    pass


class TestFactors(stores_access_cases.FactorCases):
    pass


class TestCare(stores_care_cases.CareCases):
    pass


class TestFigures(stores_figures_cases.FiguresCases):
    pass


class TestDrafts(stores_draft_cases.DraftCases):
    pass


class TestEmergencies(stores_emergency_cases.EmergencyCases):
    pass


class TestSwitches(stores_people_cases.SwitchCases):
    pass


class TestEpisodes(stores_agent_cases.EpisodeCases):
    pass


class TestAlerts(stores_alert_cases.AlertCases):
    pass


class TestWebhookTokens(stores_alert_cases.WebhookTokenCases):
    pass


class TestTopology(stores_outside_cases.TopologyCases):
    pass


class TestOutbox(stores_notice_cases.OutboxCases):
    pass


class TestChatIdentities(stores_notice_cases.ChatIdentityCases):
    pass


class TestOutsideLogs(stores_outside_cases.OutsideLogCases):
    pass


class TestOpening(stores_agent_cases.OpeningCases):
    pass


class TestTurns:
    def test_one_control_plane_at_a_time_processes_alerts(self, url: str) -> None:
        first, second = open_database(url), open_database(url)
        try:
            with first.alerts.turn() as mine, second.alerts.turn() as theirs:
                assert (mine, theirs) == (True, False)
            with second.alerts.turn() as theirs:
                assert theirs
        finally:
            first.close()
            second.close()


class TestServer:
    def test_a_stopped_server_is_unavailable_and_then_back_with_everything(
        self, server: postgresql.Server, database: Database
    ) -> None:
        given = database.incidents.open(stores_nouns.incident())
        server.stop()
        try:
            for _ in range(2):
                with pytest.raises(errors.Unavailable) as stopped:
                    database.incidents.get(given.id)
        finally:
            server.start()
        assert database.incidents.get(given.id) == given
        assert database.orders.next_seq(stores_nouns.AGENT) == 1
        assert stopped.value.__cause__ is not None

    def test_a_server_that_restarted_between_two_calls_goes_unnoticed(
        self, server: postgresql.Server, database: Database
    ) -> None:
        given = database.incidents.open(stores_nouns.incident())
        server.stop()
        server.start()
        assert database.incidents.get(given.id) == given

    def test_a_control_plane_waits_for_the_migrations_of_another(self, empty_url: str) -> None:
        lock = WAIT_FOR_OTHER_MIGRATIONS.text.removeprefix("SELECT ")
        with psycopg.connect(empty_url) as other, ThreadPoolExecutor(1) as pool:
            other.execute(f"SELECT {lock}")
            opening = pool.submit(open_database, empty_url)
            while not opening.done():
                waits = other.execute(
                    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                ).fetchone()
                if waits:
                    break
                time.sleep(0.01)
            assert not opening.done()
            other.rollback()
            opening.result(timeout=30).close()

    def test_a_connection_cut_inside_a_transaction_is_unavailable_and_keeps_nothing(
        self, server: postgresql.Server, database: Database
    ) -> None:
        def lose_the_connection() -> None:
            with database._connections.write() as transaction:
                transaction.connection.exec_driver_sql("DELETE FROM incidents")
                server.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname <> 'postgres'"
                )
                transaction.rows(UNFINISHED)

        given = database.incidents.open(stores_nouns.incident())
        with pytest.raises(errors.Unavailable, match="try again"):
            lose_the_connection()
        assert database.incidents.get(given.id) == given

    def test_a_lock_that_others_hold_for_too_long_is_unavailable(
        self, url: str, database: Database
    ) -> None:
        def wait_for_the_lock() -> None:
            with database._connections.write() as transaction:
                transaction.connection.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
                transaction.connection.exec_driver_sql("SELECT * FROM order_numbers")

        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE order_numbers")
            with pytest.raises(errors.Unavailable, match="held a lock for too long"):
                wait_for_the_lock()

    def test_a_wait_for_a_lock_ends_by_itself(self, database: Database) -> None:
        with database._connections.read() as transaction:
            assert transaction.row(text("SHOW lock_timeout")) == ("30s",)

    def test_a_server_that_never_was_is_unavailable_and_its_password_stays_secret(
        self, url: str
    ) -> None:
        with pytest.raises(errors.Unavailable, match="no connection") as refused:
            open_database("postgresql://anna:s3cret@127.0.0.1:1/store")
        assert "s3cret" not in str(refused.value)

    def test_a_database_that_is_not_there_is_named_without_the_password(
        self, server: postgresql.Server
    ) -> None:
        url = server.url("nowhere")
        with pytest.raises(errors.SentienGuardError, match="nowhere") as refused:
            open_database(url)
        assert server._password not in str(refused.value)

    def test_a_database_of_a_newer_release_is_left_alone(self, url: str) -> None:
        open_database(url).close()
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(errors.Broken, match="newer release"):
            open_database(url)

    def test_page_one_of_many_incidents_reads_an_index_from_its_end(
        self, url: str, database: Database
    ) -> None:
        database.incidents.open(stores_nouns.incident())
        with psycopg.connect(url) as connection:
            connection.execute(
                "INSERT INTO incidents SELECT id || n, agent, host, environment, tags,"
                " fingerprint || n, anomaly, opened_us - n, status, outcome, closed_us, summary,"
                " earlier, search FROM incidents, generate_series(1, 20000) AS n"
            )
            connection.execute("ANALYZE incidents")
            plan = connection.execute(
                "EXPLAIN SELECT * FROM incidents WHERE opened_us IS NOT NULL"
                " AND (opened_us, id) < (1800000000000000, 'x')"
                " ORDER BY opened_us DESC, id DESC LIMIT 51"
            ).fetchall()
        lines = "\n".join(line for (line,) in plan)
        assert "Index Scan Backward using incidents_newest" in lines
        assert "Sort" not in lines
