"""Sealed values that were moved, changed or lost their key: none is believed, each is named."""

import contextlib
import dataclasses

import pytest
from sqlalchemy import text

from sentienguard.adapters.sql_store import open_database
from sentienguard.model import errors
from sentienguard.model.ids import Fingerprint
from sentienguard.model.window import Purpose
from sentienguard.ports.draft_store import DraftId
from sentienguard.ports.factor_store import Factor, Way
from sentienguard.trust import sealed
from tests.contract import stores_nouns as nouns
from tests.support import sealed_store
from tests.support.sealed_store import (
    ALERT,
    NOW,
    ORDER,
    REPORT,
    SAID,
    changed,
    decision,
    draft,
    fill,
    line,
    lines,
    message,
)

pytestmark = pytest.mark.integration
url, keeper = sealed_store.url, sealed_store.keeper


def test_a_value_opens_in_its_own_row_and_unchanged_only(url, keeper, tmp_path):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
        stores.factors.add(Factor("fac_2", "ada@local", Way.TOTP, "two", NOW, b"mallory"))
    changed(
        tmp_path, "UPDATE factors SET secret = (SELECT secret FROM factors WHERE id = 'fac_2')",
        "UPDATE logins SET address = substr(address, 1, 30) || 'AAAA'",
    )  # fmt: skip
    with contextlib.closing(open_database(url, keeper)) as stores:
        with pytest.raises(sealed.NotSealedByThis, match=r"factors\.secret/fac_1"):
            stores.factors.of("ada@local")
        with pytest.raises(sealed.NotSealedByThis, match=r"logins\.address/log_1"):
            stores.sessions.by_access("a", at=NOW)


def swap(table, column):
    other = f"(SELECT {column} FROM {table} AS other WHERE other.rowid <> {table}.rowid)"
    return f"UPDATE {table} SET {column} = {other} WHERE rowid = (SELECT min(rowid) FROM {table})"


def test_a_text_that_was_moved_to_another_row_is_not_read_and_holds_up_no_other(
    url, keeper, tmp_path
):
    said = dataclasses.replace(ALERT, fingerprint=Fingerprint("fp/2"))
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
        stores.incidents.open(nouns.incident(2, subject="/srv"))
        stores.incidents.put_decision(decision(2, "second"))
        stores.alerts.put([said])
        stores.outside_logs.put([line("of db-1", host="db-1")])
        stores.outbox.put(message("msg_2", "second"))
        stores.drafts.add(draft("drf_2", "second"))
    changed(
        tmp_path, swap("decisions", "decision"), swap("alerts", "alert"), swap("outbox", "notice"),
        swap("outside_logs", "text"), swap("playbook_drafts", "body"),
    )  # fmt: skip
    with contextlib.closing(open_database(url, keeper)) as stores:
        for texts, place in (
            ([one.alert.text for one in stores.alerts.waiting(9)], "alerts.alert/"),
            ([one.line.text for one in reversed(lines(stores))], "outside_logs.text/"),
            ([one.text for one in stores.outbox.due(NOW, limit=9)], "outbox.notice/msg_1"),
        ):
            assert len(texts) == 2
            assert texts[0].startswith(f"(this cannot be read: {place}")
            assert "moved from another row" in texts[0]
            assert texts[1] in {SAID, "of db-1", "second"}
        with pytest.raises(sealed.NotSealedByThis, match=r"decisions\.decision/inc_"):
            stores.incidents.decision(decision().incident)
        assert stores.incidents.decision(decision(2).incident).evidence.text == "second"
        with pytest.raises(sealed.NotSealedByThis, match=r"playbook_drafts\.body/drf_1"):
            stores.drafts.get(DraftId("drf_1"))
        assert stores.drafts.get(DraftId("drf_2")).text == "second"


def test_a_line_is_bound_to_who_wrote_it_and_when_and_not_to_a_joined_text(url, keeper, tmp_path):
    with contextlib.closing(open_database(url, keeper)) as stores:
        stores.outside_logs.put([dataclasses.replace(line("x"), host="a/b", service="c")])
    changed(tmp_path, "UPDATE outside_logs SET host = 'a', service = 'b/c'")
    with contextlib.closing(open_database(url, keeper)) as stores:
        [one] = lines(stores)
        assert one.line.text.startswith("(this cannot be read")


def test_lost_data_keys_are_told_with_the_way_out_and_all_else_goes_on(url, keeper, tmp_path):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
    changed(tmp_path, "DELETE FROM data_keys")
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert [user.name for user in stores.users.list()] == ["ada@local"]
        way_out = "restore its row, or the table data_keys, from the backup of the same time"
        with pytest.raises(errors.Broken, match=way_out):
            stores.drafts.get(DraftId("drf_1"))
        assert way_out in lines(stores)[0].line.text
        stores.outside_logs.put([line("new", host="db-1")])
        stores.outbox.put(message("msg_2", "second"))
        assert lines(stores)[0].line.text == "new"
        assert stores.outbox.due(NOW, limit=9)[1].text == "second"


def test_a_freeze_and_a_silence_hold_though_their_reasons_cannot_be_read(url, keeper):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
        with stores._connections.write() as transaction:
            for table in ("kill_switch", "silences"):
                transaction.change(
                    text(f"UPDATE {table} SET reason = (SELECT notice FROM outbox LIMIT 1)")
                )
        assert stores.switches.freeze().by == "ada@local"
        assert "kill_switch.reason/1 cannot be opened" in stores.switches.freeze().reason
        [window] = stores.switches.windows(Purpose.SILENCE, at=NOW)
        assert "silences.reason/win_1 cannot be opened" in window.comment


def test_a_report_that_cannot_be_opened_is_an_error_that_names_its_order(url, keeper):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
        with stores._connections.write() as transaction:
            transaction.change(text("UPDATE orders SET report = (SELECT notice FROM outbox)"))
        with pytest.raises(sealed.NotSealedByThis, match=f"orders.report/{ORDER.id}"):
            stores.orders.get(ORDER.id)
        [one] = stores.orders.ended(ORDER.digest, ORDER.environment)
        assert one.execution is REPORT.outcome, "what counts for decisions stands beside it"
