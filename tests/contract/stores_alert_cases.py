"""What ports.alert_inbox and webhook_tokens promise, on every engine."""

from dataclasses import replace

import pytest

from sentienguard.adapters.sql_store import Database
from sentienguard.model import errors, ids
from sentienguard.model.alert import AlertStatus
from sentienguard.ports.alert_inbox import AlertPage, Dealt, NewAlert, Result
from sentienguard.ports.webhook_tokens import NoSuchToken, TokenUnknown, WebhookToken
from tests.contract.stores_nouns import NOW, later
from tests.contract.stores_threads import at_once

INCIDENT = ids.IncidentId("inc_20260212_112600_a8f3b2c1")


def alert(number: int = 1, **changes: object) -> NewAlert:
    given = NewAlert(
        environment="production",
        fingerprint=ids.Fingerprint(f"{number:016x}"),
        starts_at=later(number),
        status=AlertStatus.FIRING,
        received_at=later(100 + number),
        text='{"labels":{"alertname":"\\u0000 日本語"}}',
    )
    return replace(given, **changes)


def ended(number: int = 1, **changes: object) -> NewAlert:
    return alert(number, status=AlertStatus.RESOLVED, **changes)


class AlertCases:
    def test_alerts_wait_in_the_order_in_which_they_came(self, database: Database) -> None:
        given = [alert(number) for number in (3, 1, 2)]
        assert database.alerts.put(given) == 3
        assert [one.alert for one in database.alerts.waiting(10)] == given
        assert [one.alert for one in database.alerts.waiting(2)] == given[:2]
        assert database.alerts.backlog() == 3

    def test_the_same_alert_is_kept_once(self, database: Database) -> None:
        again = alert(text="other text", received_at=later(900))
        assert database.alerts.put([alert(), again]) == 1
        assert database.alerts.put([again, alert(2)]) == 1
        assert [one.alert for one in database.alerts.waiting(10)] == [alert(), alert(2)]

    @pytest.mark.parametrize(
        "changes",
        [
            {"environment": "staging"},
            {"fingerprint": ids.Fingerprint("f" * 16)},
            {"starts_at": later(2)},
            {"status": AlertStatus.RESOLVED},
        ],
    )
    def test_another_place_name_begin_or_status_is_another_alert(
        self, database: Database, changes: dict[str, object]
    ) -> None:
        assert database.alerts.put([alert(), alert(1, **changes)]) == 2

    @pytest.mark.parametrize(
        ("puts", "begins"),
        [
            ([("firing", 10, None), ("firing", 20, 20)], [10]),
            ([("firing", 10, None), ("resolved", 20, 20)], [10, 10]),
            ([("firing", 10, None), ("resolved", 20, 20), ("resolved", 21, 21)], [10, 10]),
            ([("firing", 10, None), ("resolved", 20, 20), ("firing", 30, 30)], [10, 10, 30]),
            ([("firing", 10, None), ("resolved", 20, 20), ("firing", 30, None),
              ("resolved", 10, 40)], [10, 10, 30, 30]),
            ([("firing", 10, None), ("resolved", 10, 20), ("firing", 30, None),
              ("resolved", 10, 20)], [10, 10, 30]),
            ([("resolved", 10, 20), ("firing", 10, None)], [10, 10]),
            ([("firing", 20, 20)], [20]),
            ([("firing", 30, None), ("resolved", 20, 20)], [30, 20]),
        ],
        ids=["a repeat", "an end", "the end again", "a new one after the end",
             "the end of the new one", "an old end again",
             "the end came first", "a repeat of nothing",
             "an end of nothing that had begun"],
    )  # fmt: skip
    def test_an_alert_that_does_not_say_when_it_began_is_of_the_episode_that_stood(
        self, database: Database, puts: list[tuple[str, int, int | None]], begins: list[int]
    ) -> None:
        given = [
            alert(1, status=AlertStatus(status), starts_at=later(start),
                  heard_at=None if heard is None else later(heard))
            for status, start, heard in puts
        ]  # fmt: skip
        assert database.alerts.put(given) == len(begins)
        kept = [one.alert.starts_at for one in database.alerts.waiting(10)]
        assert kept == [later(begin) for begin in begins]
        assert database.alerts.put([alert(2, heard_at=later(90), starts_at=later(90))]) == 1

    def test_nothing_to_put_is_nothing(self, database: Database) -> None:
        assert database.alerts.put([]) == 0
        database.alerts.dealt([])

    def test_what_was_dealt_with_waits_no_longer(self, database: Database) -> None:
        database.alerts.put([alert(1), alert(2)])
        first, second = database.alerts.waiting(10)
        database.alerts.dealt([Dealt(first.number, Result.OPENED, INCIDENT)])
        assert database.alerts.waiting(10) == (second,)
        assert database.alerts.backlog() == 1
        assert database.alerts.put([alert(1)]) == 0
        assert database.alerts.counts() == {Result.OPENED: 1}

    def test_an_end_counts_only_if_it_came_before(self, database: Database) -> None:
        database.alerts.put([alert(1), ended(1), ended(2), alert(2), alert(3)])
        first, _, _, second, third = database.alerts.waiting(10)
        assert not database.alerts.had_ended(first)
        assert database.alerts.had_ended(second)
        assert not database.alerts.had_ended(third)

    def test_the_newest_incident_of_an_alert_is_found(self, database: Database) -> None:
        other = ids.IncidentId("inc_other")
        database.alerts.put([alert(1), alert(1, starts_at=later(50)), alert(2)])
        first, second, third = database.alerts.waiting(10)
        assert database.alerts.incident_of("production", first.alert.fingerprint) is None
        database.alerts.dealt(
            [
                Dealt(first.number, Result.OPENED, INCIDENT),
                Dealt(second.number, Result.OPENED, other),
                Dealt(third.number, Result.UNKNOWN_HOST),
            ]
        )
        name = first.alert.fingerprint
        assert database.alerts.incident_of("production", name) == other
        assert database.alerts.incident_of("production", name, before=later(50)) == INCIDENT
        assert database.alerts.incident_of("staging", name) is None
        assert database.alerts.incident_of("production", third.alert.fingerprint) is None

    def test_an_incident_fires_until_each_of_its_alerts_ended(self, database: Database) -> None:
        database.alerts.put([alert(1), alert(2), alert(3)])
        kept = database.alerts.waiting(10)
        database.alerts.dealt([Dealt(one.number, Result.FOLDED, INCIDENT) for one in kept])
        # The end of the third tells its begin differently; the last one is of another alert.
        ends = [ended(1), ended(2), ended(3, starts_at=later(60)), ended(4)]
        database.alerts.put(ends)
        left = [database.alerts.firing(INCIDENT, beside=one) for one in database.alerts.waiting(10)]
        assert left == [2, 1, 0, 0]

    def test_pages_go_on_where_the_last_one_ended(self, database: Database) -> None:
        database.alerts.put([alert(number) for number in range(5)])
        database.alerts.put([alert(9, environment="staging")])
        numbers = []
        page = AlertPage((), None)
        for _ in range(3):
            page = database.alerts.list(["production"], before=page.before, limit=2)
            numbers += [one.alert.starts_at for one in page.alerts]
        assert numbers == [later(number) for number in (4, 3, 2, 1, 0)]
        assert page.before is None
        assert database.alerts.list([], before=None, limit=2).alerts == ()

    def test_what_waits_is_never_forgotten(self, database: Database) -> None:
        database.alerts.put([alert(1), alert(2)])
        first, second = database.alerts.waiting(10)
        database.alerts.dealt([Dealt(first.number, Result.LATE)])
        assert database.alerts.forget(later(1000)) == 1
        assert database.alerts.waiting(10) == (second,)

    def test_one_at_a_time_has_the_turn(self, database: Database) -> None:
        with database.alerts.turn() as mine:
            assert mine
        with database.alerts.turn() as mine:
            assert mine

    def test_twenty_that_put_the_same_at_once_keep_it_once(self, database: Database) -> None:
        batch = [alert(number) for number in range(10)]
        assert sum(at_once(lambda _: database.alerts.put(batch))) == 10
        assert database.alerts.backlog() == 10


class WebhookTokenCases:
    token = WebhookToken("tok_1", "alertmanager", "production", "admin@local", NOW)

    def test_its_signing_secrets_can_be_replaced(self, database: Database) -> None:
        database.webhook_tokens.add(self.token, "s3cret")
        for secrets in (("one", "zwei \u20ac"), ("two",), ()):
            changed = database.webhook_tokens.set_signing_secrets("tok_1", secrets)
            assert changed == replace(self.token, signing_secrets=secrets)
            assert database.webhook_tokens.by_secret("s3cret", "alertmanager") == changed
        with pytest.raises(NoSuchToken, match="tok_9"):
            database.webhook_tokens.set_signing_secrets("tok_9", ("one",))

    def test_a_token_is_found_by_its_secret_for_its_purpose(self, database: Database) -> None:
        database.webhook_tokens.add(self.token, "s3cret")
        assert database.webhook_tokens.by_secret("s3cret", "alertmanager") == self.token
        for secret, purpose in (("s3cret", "grafana"), ("other", "alertmanager"), ("", "")):
            with pytest.raises(TokenUnknown) as refused:
                database.webhook_tokens.by_secret(secret, purpose)
            assert "s3cret" not in str(refused.value)

    def test_id_and_secret_belong_to_one_token(self, database: Database) -> None:
        database.webhook_tokens.add(self.token, "s3cret")
        for token, secret in ((self.token, "new"), (replace(self.token, id="tok_2"), "s3cret")):
            with pytest.raises(errors.Rejected, match="made before"):
                database.webhook_tokens.add(token, secret)
        assert database.webhook_tokens.list() == (self.token,)

    def test_a_revoked_token_opens_nothing_and_stays_listed(self, database: Database) -> None:
        database.webhook_tokens.add(self.token, "s3cret")
        for seconds in (1, 2):  # the first time counts
            revoked = database.webhook_tokens.revoke("tok_1", at=later(seconds))
            assert revoked == replace(self.token, revoked_at=later(1))
        with pytest.raises(TokenUnknown):
            database.webhook_tokens.by_secret("s3cret", "alertmanager")
        assert database.webhook_tokens.list() == (revoked,)

    def test_a_token_that_nobody_made_cannot_be_revoked(self, database: Database) -> None:
        with pytest.raises(NoSuchToken):
            database.webhook_tokens.revoke("tok_9", at=NOW)
