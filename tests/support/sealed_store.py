"""A store full of what has to be sealed, with a canary in each place, and where to look for them.

Called by the tests of sealing in tests/integration/stores. `fill` puts a value into every sealed
column, `whole` tells whether all of them come back, `in_the_files` which canaries lie in the clear.
A new sealed column has its canary here.
"""

import contextlib
import dataclasses
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.adapters.key_keepers import local_file
from sentienguard.adapters.sql_store import sealed_columns
from sentienguard.model.access import Permission, Role
from sentienguard.model.alert import AlertStatus
from sentienguard.model.approval import Agreement, ApprovalStatus
from sentienguard.model.care import Signed
from sentienguard.model.emergency import Emergency, EmergencyId
from sentienguard.model.evidence import Changed
from sentienguard.model.ids import Fingerprint, IncidentId, PlaybookName
from sentienguard.model.window import Purpose, Window, WindowId
from sentienguard.ports.alert_inbox import NewAlert
from sentienguard.ports.audit_storage import Blob
from sentienguard.ports.draft_store import Draft, DraftId
from sentienguard.ports.factor_store import Factor, Ticket, Way
from sentienguard.ports.outbox import Outgoing
from sentienguard.ports.outside_logs import NewLine
from sentienguard.ports.session_store import Issued, Login
from sentienguard.ports.switches import Freeze
from sentienguard.ports.webhook_tokens import WebhookToken
from tests.contract import stores_nouns as nouns
from tests.support import accounts

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TOTP = b"canary-totp-secret-12"
CHALLENGE = b"canary-challenge-7"
SIGNING = "canary-signing-secret-55"
ADDRESS = "2001:db8:ca7a::77"
BLOB_KEY = b"canary-of-a-blob-key-32-bytes-xx"
PASSWORD = "correct horse battery staple"
LINE, SAID = "canary: card 4111 of ada", '{"summary": "canary-alert-31"}'
EVIDENCE = "canary-evidence: disk of web-1 is full"
NOTICE, DRAFT, CASE = "canary-notice-8", "canary-draft: 9", "canary-case: 4"

# What people wrote, and what a host said of an order.
QUESTION, WHY, NOTE, YES = "canary: may I?", "canary-why", "canary-note 3", "canary-yes of ada"
CHANGED, HURRY, SETTLED = "canary-change 1", "canary-emergency", "canary-settled: by hand"
STOPPED, QUIET, SAW, REFUSED = "canary-freeze", "canary-silence", "canary-output", "canary-refusal"
WORDS = (QUESTION, WHY, NOTE, YES, CHANGED, HURRY, SETTLED, STOPPED, QUIET, SAW, REFUSED)
ALL = len(sealed_columns.SEALED)
CANARIES = [
    *(one.encode() for one in (LINE, SAID, EVIDENCE, NOTICE, DRAFT, CASE, *WORDS)),
    TOTP, TOTP.hex().encode(), CHALLENGE, CHALLENGE.hex().encode(), SIGNING.encode(),
    ADDRESS.encode(), BLOB_KEY, b"$argon2id$",
]  # fmt: skip


def fill(stores):
    accounts.add(stores.users, "ada@local", PASSWORD, {"*": Role.OBSERVER})
    stores.factors.add(Factor("fac_1", "ada@local", Way.TOTP, "phone", NOW, TOTP))
    ends = datetime.now(UTC) + timedelta(hours=1)
    stores.factors.open_ticket("t", Ticket("login", "ada@local", CHALLENGE, ends), at=NOW)
    stores.webhook_tokens.add(WebhookToken("wht_1", "pagerduty", "drill", "x", NOW), "opens")
    stores.webhook_tokens.set_signing_secrets("wht_1", [SIGNING])
    login = Login("log_1", "ada@local", NOW, ends, ADDRESS)
    stores.sessions.open(login, Issued("a", ends), Issued("r", ends))
    stores.audit.put_blob("ab" * 32, Blob(b"sealed body", BLOB_KEY))
    stores.people.known()
    stores.incidents.open(nouns.incident())
    stores.incidents.put_decision(decision())
    stores.alerts.put([ALERT])
    stores.outside_logs.put([line(LINE)])
    stores.outbox.put(message("msg_1", NOTICE))
    stores.drafts.add(draft("drf_1", DRAFT))
    fill_with_words(stores)


def fill_with_words(stores):
    """Keep what people wrote about an incident, and what hosts said of its orders."""
    stores.approvals.open(QUESTIONED)
    stores.approvals.agree(Agreement(QUESTIONED.id, "ada@local", NOW, YES))
    stores.approvals.decide(
        QUESTIONED.id, ApprovalStatus.APPROVED, by="ada@local", at=NOW, note=NOTE
    )
    stores.changes.put("drill", [CHANGE], received_at=NOW)
    stores.emergencies.ask(EMERGENCY)
    stores.care.settle(QUESTIONED.incident, Signed("ada@local", NOW), SETTLED)
    stores.switches.set_freeze(Freeze("ada@local", NOW, STOPPED))
    stores.switches.add_window(WINDOW)
    stores.orders.release(ORDER, at=NOW)
    stores.orders.refused(ORDER.id, because=REFUSED)
    stores.orders.finished(REPORT)


QUESTIONED = dataclasses.replace(
    nouns.approval(), question=QUESTION, reason=WHY, expires_at=NOW + timedelta(days=1)
)
CHANGE = Changed("chg_1", NOW, "shop", "deploy", "1.2", "ada@local", CHANGED)
EMERGENCY = Emergency(
    EmergencyId("emg_1"), "ada@local", "drill", Permission.DECIDE_APPROVAL, HURRY, 15, NOW,
    NOW + timedelta(minutes=15),
)  # fmt: skip
WINDOW = Window(
    WindowId("win_1"), Purpose.SILENCE, (), NOW, NOW + timedelta(hours=1), "ada@local", QUIET
)
ORDER = nouns.order()
REPORT = dataclasses.replace(nouns.report(ORDER), reason=SAW)


def words(stores):
    """Return what people wrote, and hosts said, as the stores tell it."""
    asked = stores.approvals.get(QUESTIONED.id)
    order = stores.orders.get(ORDER.id)
    return (
        asked.question, asked.reason, asked.note,
        *(one.note for one in stores.approvals.agreements(QUESTIONED.id)),
        *(one.summary for one in stores.changes.between(
            "drill", NOW, NOW + timedelta(hours=1), limit=9)),
        stores.emergencies.get(EMERGENCY.id).reason,
        stores.care.of(QUESTIONED.incident).settled_because,
        stores.switches.freeze().reason,
        stores.switches.window(WINDOW.id).comment,
        order.report.reason, order.refused_because,
    )  # fmt: skip


ALERT = NewAlert("drill", Fingerprint("fp/1"), NOW, AlertStatus.FIRING, NOW, SAID)


def decision(number=1, text=EVIDENCE):
    made = nouns.decision(nouns.incident(number))
    return dataclasses.replace(made, evidence=dataclasses.replace(made.evidence, text=text))


def line(text, host="web-1"):
    return NewLine("drill", host, "shop", NOW, NOW, "error", text)


def message(name, text):
    return Outgoing(name, "chat", IncidentId(""), "opened", text, NOW, NOW)


def draft(name, text):
    return Draft(DraftId(name), PlaybookName("mend"), "", text, CASE, 1, "ada", NOW, "ada", NOW)


def whole(stores):
    """Tell whether everything of `fill` comes back."""
    [factor] = stores.factors.of("ada@local")
    _, login = stores.sessions.by_access("a", at=NOW)
    return (
        factor.secret == TOTP
        and stores.factors.ticket("t", "login", at=NOW).challenge == CHALLENGE
        and stores.webhook_tokens.by_secret("opens", "pagerduty").signing_secrets == (SIGNING,)
        and login.address == ADDRESS
        and stores.users.check_password("ada@local", PASSWORD).name == "ada@local"
        and stores.audit.blob("ab" * 32) == Blob(b"sealed body", BLOB_KEY)
        and stores.people.opening(stores.people.known()["ada@local"]).name == "ada@local"
        and stores.incidents.decision(decision().incident) == decision()
        and [one.alert for one in stores.alerts.waiting(9)] == [ALERT]
        and [one.line for one in lines(stores)] == [line(LINE)]
        and [one.text for one in stores.outbox.due(NOW, limit=9)] == [NOTICE]
        and stores.drafts.get(DraftId("drf_1")) == draft("drf_1", DRAFT)
        and words(stores) == WORDS
    )


def lines(stores):
    return stores.outside_logs.list(["drill"], host=None, before=None, limit=9)


def in_the_files(place):
    """Return the canaries that any file below a directory has."""
    files = [path for path in place.rglob("*") if path.is_file()]
    assert files
    return [
        (path.name, canary) for path in files for canary in CANARIES if canary in path.read_bytes()
    ]


@pytest.fixture
def url(tmp_path):
    (tmp_path / "store").mkdir()
    return f"sqlite:///{tmp_path}/store/store.db"


@pytest.fixture
def keeper(tmp_path):
    return local_file.LocalFile(tmp_path / "data.key")


def changed(tmp_path, *statements):
    """Let whoever can write to the file change what it holds."""
    with contextlib.closing(sqlite3.connect(tmp_path / "store/store.db")) as database, database:
        for statement in statements:
            database.execute(statement)
