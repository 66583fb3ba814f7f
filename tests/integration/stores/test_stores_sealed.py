"""Secrets and personal values at rest: sealed under data keys that a keeper wraps.

On both engines, with keys in a file and in a server of KMS's protocol (moto).
"""

import base64
import contextlib
import dataclasses
import functools
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, event, text

from sentienguard.adapters.audit_files.log import AuditFiles
from sentienguard.adapters.key_keepers import aws_kms, local_file, several
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.adapters.sql_store import data_keys, open_database, sealed_columns
from sentienguard.model import errors
from sentienguard.model.access import Permission, Role
from sentienguard.model.alert import AlertStatus
from sentienguard.model.approval import Agreement, ApprovalStatus
from sentienguard.model.care import Signed
from sentienguard.model.emergency import Emergency, EmergencyId
from sentienguard.model.evidence import Changed
from sentienguard.model.ids import Fingerprint, IncidentId, PlaybookName
from sentienguard.model.window import Purpose, Window, WindowId
from sentienguard.ports import audit_log, key_keeper
from sentienguard.ports.alert_inbox import NewAlert
from sentienguard.ports.audit_storage import Blob
from sentienguard.ports.draft_store import Draft, DraftId
from sentienguard.ports.factor_store import Factor, Ticket, Way
from sentienguard.ports.outbox import Outgoing
from sentienguard.ports.outside_logs import NewLine
from sentienguard.ports.session_store import Issued, Login
from sentienguard.ports.switches import Freeze
from sentienguard.ports.webhook_tokens import WebhookToken
from sentienguard.trust import sealed, sigv4
from tests.contract import stores_nouns as nouns
from tests.contract.audit_log_cases import rules
from tests.servers import postgresql

boto3 = pytest.importorskip("boto3", reason="no boto3 (pip install 'sentienguard[aws]')")
moto = pytest.importorskip("moto.server", reason="no moto (pip install 'moto[server]')")
pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("default")]

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
REGION = "eu-central-1"
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
    stores.users.add("ada@local", PASSWORD, {"*": Role.OBSERVER})
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


@pytest.fixture(scope="module")
def server():
    reason = postgresql.missing()
    if reason is not None:
        pytest.skip(reason)
    with postgresql.running() as running:
        yield running


@pytest.fixture(scope="module")
def kms():
    """Serve KMS with two keys; yield what makes a keeper of one."""
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    endpoint = "http://{}:{}".format(*running.get_host_and_port())
    client = boto3.client(
        "kms", region_name=REGION, endpoint_url=endpoint,
        aws_access_key_id="AKID", aws_secret_access_key="s",
    )  # fmt: skip
    keys = [client.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]

    def keeper(number, key="", way=None):
        return aws_kms.AwsKms(
            key or keys[number], endpoint, REGION,
            credentials=lambda: sigv4.Credentials("AKID", "secret-of-the-role"),
            way=way or GuardedClient([Allowed.of(endpoint, private=True)]),
            now=functools.partial(datetime.now, UTC),
        )  # fmt: skip

    yield keeper
    running.stop()


def test_no_canary_is_in_the_files_and_everything_comes_back(url, keeper, tmp_path):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
        assert in_the_files(tmp_path / "store") == []  # with the write-ahead log
        assert whole(stores)
        backup = sqlite3.connect(tmp_path / "store/backup.db")
        source = sqlite3.connect(tmp_path / "store/store.db")
        source.backup(backup)
        backup.close()
        source.close()
    assert in_the_files(tmp_path / "store") == []
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert whole(stores)


def test_the_canaries_are_found_where_nothing_seals(url, tmp_path):
    with contextlib.closing(open_database(url)) as stores:
        fill(stores)
        assert whole(stores)
        found = {canary for _, canary in in_the_files(tmp_path / "store")}
    assert len(found) == ALL - 1, "the search would notice each column; keys of people are random"


@pytest.fixture
def careless():
    """Have SQLite leave what is replaced where it is, which some builds of it do not."""

    def off(connection, _record):
        connection.execute("PRAGMA secure_delete = OFF")

    event.listen(Engine, "connect", off)
    yield
    event.remove(Engine, "connect", off)


@pytest.mark.usefixtures("careless")
def test_what_resealing_replaces_is_overwritten_with_zeros(url, keeper):
    with (
        contextlib.closing(open_database(url, keeper)) as stores,
        stores._connections.write() as transaction,
    ):
        assert transaction.row(text("PRAGMA secure_delete")) == (0,)
        stores._connections.erasing(transaction)
        assert transaction.row(text("PRAGMA secure_delete")) == (1,)


def test_what_an_earlier_release_kept_in_the_clear_is_sealed_and_overwritten(url, keeper, tmp_path):
    with contextlib.closing(open_database(url)) as stores:
        fill(stores)
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert in_the_files(tmp_path / "store") == []
        assert whole(stores)
        assert [one.whole_at is not None for one in stores.data_keys.all()] == [True]


def test_a_resealing_that_was_cut_off_is_finished_at_the_next_start(
    url, keeper, tmp_path, monkeypatch
):
    with contextlib.closing(open_database(url)) as stores:
        fill(stores)
    real = data_keys.DataKeys._reseal_batch

    def cut_off(self, column, stale):
        if column is sealed_columns.LOGIN_ADDRESS:
            raise errors.Unavailable("the power went")
        return real(self, column, stale)

    monkeypatch.setattr(data_keys.DataKeys, "_reseal_batch", cut_off)
    with pytest.raises(errors.Unavailable, match="power"):
        open_database(url, keeper)
    monkeypatch.undo()
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert in_the_files(tmp_path / "store") == []
        assert whole(stores)


def test_rotation_needs_no_pause_and_old_values_still_open(url, keeper):
    with (
        contextlib.closing(open_database(url, keeper)) as one,
        contextlib.closing(open_database(url, keeper)) as other,
    ):
        fill(one)
        was = keeper.name
        assert keeper.add() != was
        assert one.data_keys.rotate() == data_keys.Rotation(number=2, rewrapped=1, resealed=ALL)
        assert whole(one)
        assert whole(other)
        other.factors.add(Factor("fac_2", "ada@local", Way.TOTP, "two", NOW, b"second"))
        with one._connections.read() as transaction:
            kept = transaction.row(text("SELECT secret FROM factors WHERE id = 'fac_2'"))
        assert kept.secret.startswith("sg1.2."), "another control plane seals under the new key"
        assert [(key.number, key.keeper) for key in one.data_keys.all()] == [
            (1, keeper.name),
            (2, keeper.name),
        ]


def test_a_value_opens_in_its_own_row_and_unchanged_only(url, keeper, tmp_path):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
        stores.factors.add(Factor("fac_2", "ada@local", Way.TOTP, "two", NOW, b"mallory"))
    with contextlib.closing(sqlite3.connect(tmp_path / "store/store.db")) as database, database:
        database.execute(
            "UPDATE factors SET secret = (SELECT secret FROM factors WHERE id = 'fac_2')"
        )
        database.execute("UPDATE logins SET address = substr(address, 1, 30) || 'AAAA'")
    with contextlib.closing(open_database(url, keeper)) as stores:
        with pytest.raises(sealed.NotSealedByThis, match=r"factors\.secret/fac_1"):
            stores.factors.of("ada@local")
        with pytest.raises(sealed.NotSealedByThis, match=r"logins\.address/log_1"):
            stores.sessions.by_access("a", at=NOW)


@pytest.mark.parametrize("lost", ["gone", "another", "readable", "torn"])
def test_without_the_keeper_s_key_the_store_does_not_open_and_says_what_is_missing(
    url, keeper, tmp_path, lost
):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
    file = tmp_path / "data.key"
    match lost:
        case "gone":
            file.unlink()
        case "another":
            file.unlink()
            keeper.add()
        case "readable":
            file.chmod(0o640)
        case "torn":
            file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(key_keeper.KeyRefused, match=r"data\.key") as refused:
        open_database(url, keeper)
    assert base64.b64encode(TOTP).decode() not in str(refused.value)
    assert file.exists() == (lost != "gone"), "no new key is made beside what it cannot open"


def test_a_sealed_database_opens_nothing_without_a_keeper(url, keeper):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
    with contextlib.closing(open_database(url)) as stores:
        assert [user.name for user in stores.users.list()] == ["ada@local"]
        with pytest.raises(errors.Broken, match="is sealed"):
            stores.factors.of("ada@local")
        with pytest.raises(errors.Rejected, match="without a keeper"):
            stores.data_keys.rotate()


def test_on_postgresql_too_no_canary_leaves_the_store(server, keeper):
    url = server.new_database()
    with contextlib.closing(open_database(url)) as stores:
        fill(stores)
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert whole(stores)
        assert stores.data_keys.rotate().resealed == ALL
        assert whole(stores)
        for column in sealed_columns.SEALED:
            with stores._connections.read() as transaction:
                rows = transaction.rows(text(f"SELECT {column.name} FROM {column.table}"))
            assert rows
            assert all(bytes(data_keys._raw(row[0])).startswith(b"sg1.2.") for row in rows)


def test_keys_move_from_the_file_to_kms_and_between_its_keys(url, keeper, kms):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
    first = several.Several([kms(0), keeper])
    with contextlib.closing(open_database(url, first)) as stores:
        assert whole(stores)
        assert stores.data_keys.rotate() == data_keys.Rotation(2, 1, ALL)
    with contextlib.closing(open_database(url, kms(0))) as stores:  # the file is needed no more
        assert whole(stores)
    second = several.Several([kms(1), kms(0)])
    with contextlib.closing(open_database(url, second)) as stores:
        assert stores.data_keys.rotate() == data_keys.Rotation(3, 2, ALL)
    with contextlib.closing(open_database(url, kms(1))) as stores:
        assert whole(stores)
    with pytest.raises(key_keeper.KeyRefused, match="was asked for what"):
        open_database(url, kms(0))
    with pytest.raises(key_keeper.KeyRefused, match="former"):
        open_database(url, several.Several([kms(0), keeper]))


def test_kms_is_asked_once_and_told_what_it_is_for(url, kms):
    sent = []

    class Way:
        inner = kms(0)._way

        def send(self, request):
            sent.append(request)
            return self.inner.send(request)

    with contextlib.closing(open_database(url, kms(0, way=Way()))) as stores:
        fill(stores)
        assert whole(stores)
    targets = [request.headers["x-amz-target"] for request in sent]
    assert targets == ["TrentService.Encrypt", "TrentService.Decrypt"]
    assert all(b'"EncryptionContext": {"sentienguard": "data key 1"}' in one.body for one in sent)
    assert all(b"secret-of-the-role" not in repr(one).encode() for one in sent)


def test_kms_opens_a_data_key_for_its_own_purpose_only(kms):
    name, wrapped = kms(0).wrap(bytes(32), "data key 1")
    assert kms(0).unwrap(name, wrapped, "data key 1") == bytes(32)
    with pytest.raises(key_keeper.KeyRefused, match="InvalidCiphertext"):
        kms(0).unwrap(name, wrapped, "data key 2")
    with pytest.raises(key_keeper.KeyRefused, match="InvalidCiphertext"):
        kms(0).unwrap(name, wrapped[:-1] + bytes([wrapped[-1] ^ 1]), "data key 1")
    with pytest.raises(key_keeper.KeyRefused, match="NotFound"):
        kms(0, key=f"arn:aws:kms:{REGION}:123456789012:key/none").wrap(bytes(32), "x")


@dataclasses.dataclass
class Says:
    status: int
    body: bytes
    headers: dict = dataclasses.field(default_factory=dict)

    def send(self, request):
        del request
        return self


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Says(500, b'{"__type": "KMSInternalException"}'), key_keeper.KeeperAway),
        (Says(400, b'{"__type": "com.amazonaws#ThrottlingException"}'), key_keeper.KeeperAway),
        (Says(400, b'{"__type": "AccessDeniedException"}'), key_keeper.KeyRefused),
        (Says(400, b'{"__type": "DisabledException"}'), key_keeper.KeyRefused),
        (Says(503, b"<html>"), key_keeper.KeeperAway),
        (Says(200, b"[1]"), key_keeper.KeyRefused),
        (Says(200, b'{"CiphertextBlob": 7}'), key_keeper.KeyRefused),
        (Says(200, b'{"CiphertextBlob": "%%"}'), key_keeper.KeyRefused),
    ],
)
def test_what_kms_answers_is_told_by_what_to_do_next(kms, answer, kind):
    with pytest.raises(kind):
        kms(0, way=answer).wrap(bytes(32), "data key 1")


def test_the_file_of_keys_is_its_owner_s_alone(keeper, tmp_path):
    names = [keeper.add(), keeper.add()]
    assert (tmp_path / "data.key").stat().st_mode & 0o777 == 0o600
    assert keeper.name == names[1]
    assert len(set(names)) == 2


def test_the_directory_of_the_log_alone_opens_no_blob(url, keeper, tmp_path):
    place, output = tmp_path / "audit", b"what a step of a remedy said"
    with contextlib.closing(open_database(url, keeper)) as stores:
        with AuditFiles(place, rules(), sealer=stores.data_keys) as log:
            kept, erased = log.put_blob(output, "text/plain"), log.put_blob(b"more", "text/plain")
            log.erase_blob(erased.sha256)
        stores.data_keys.rotate()
        with AuditFiles(place, rules(), sealer=stores.data_keys) as log:
            assert log.get_blob(kept.sha256) == output
            with pytest.raises(audit_log.BlobErased):
                log.get_blob(erased.sha256)
    key = place / "blob-keys" / kept.sha256[:2] / kept.sha256
    assert key.read_bytes().startswith(b"sg1.1.")
    with AuditFiles(place, rules()) as log, pytest.raises(audit_log.AuditBroken):
        log.get_blob(kept.sha256)


def changed(tmp_path, *statements):
    """Let whoever can write to the file change what it holds."""
    with contextlib.closing(sqlite3.connect(tmp_path / "store/store.db")) as database, database:
        for statement in statements:
            database.execute(statement)


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


def test_texts_that_are_in_the_clear_are_read_and_sealed_where_not_all_is_known_to_be(
    url, keeper, tmp_path
):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
    changed(
        tmp_path, f"UPDATE outside_logs SET text = '{LINE}'", f"UPDATE alerts SET alert = '{SAID}'",
        f"UPDATE outbox SET notice = '{NOTICE}'",
    )  # fmt: skip
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert whole(stores), "what is in the clear is read as it is"
    assert in_the_files(tmp_path / "store") != []
    changed(tmp_path, "UPDATE data_keys SET whole_us = NULL")
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert whole(stores)
        assert in_the_files(tmp_path / "store") == []


def test_text_that_looks_sealed_is_kept_as_any_other(url, keeper):
    with contextlib.closing(open_database(url, keeper)) as stores:
        for text_of in ("sg1.1.AAAA", "sg1.", "\N{SNOWMAN}", ""):
            stores.outside_logs.put([line(text_of)])
            assert lines(stores)[0].line.text == text_of


def test_who_is_forgotten_is_gone_from_sealed_messages_too(url, keeper):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
        stores.outbox.put(message("msg_2", "ada@local said yes"))
        assert YES in words(stores)
        stores.approvals.open(told(2, "ada@local asks"))
        stores.approvals.agree(Agreement(told(2, "").id, "ada@local", NOW, "ada@local agrees"))
        stands_for = stores.people.known()["ada@local"]
        stores.people.forget("ada@local")
        assert stores.outbox.due(NOW, limit=9)[1].text == f"{stands_for} said yes"
        with stores._connections.read() as transaction:
            kept = transaction.row(text("SELECT notice FROM outbox WHERE id = 'msg_2'"))
        assert kept.notice.startswith("sg1.")
        assert stores.approvals.get(told(2, "").id).question == f"{stands_for} asks"
        [yes] = stores.approvals.agreements(told(2, "").id)
        assert (yes.by, yes.note) == (stands_for, f"{stands_for} agrees")
        assert stores.emergencies.get(EMERGENCY.id).user == stands_for
        assert [one.replace(stands_for, "ada") for one in words(stores)] == list(WORDS)


def told(number, question):
    asked = nouns.approval(number)
    return dataclasses.replace(asked, question=question, expires_at=NOW + timedelta(days=1))


def undo_0021(transaction):
    """Leave the tables as the release before did."""
    transaction.change(text("ALTER TABLE orders DROP COLUMN ended"))
    if transaction.connection.dialect.name == "postgresql":
        transaction.change(
            text(
                "ALTER TABLE emergencies ADD CONSTRAINT emergencies_user_name_fkey "
                "FOREIGN KEY (user_name) REFERENCES users (name)"
            )
        )
        return
    [(made,)] = transaction.rows(text("SELECT sql FROM sqlite_master WHERE name = 'emergencies'"))
    referring = f"{made.rstrip()[:-1]}, FOREIGN KEY (user_name) REFERENCES users (name))"
    transaction.change(text("ALTER TABLE emergencies RENAME TO copied"))
    transaction.change(text(referring))
    transaction.change(text("INSERT INTO emergencies SELECT * FROM copied"))
    transaction.change(text("DROP TABLE copied"))


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_an_upgrade_keeps_what_is_asked_of_decisions_and_seals_them(url, keeper, engine, request):
    if engine == "postgresql":
        url = request.getfixturevalue("server").new_database()
    with contextlib.closing(open_database(url)) as stores:
        fill(stores)
        with stores._connections.write() as transaction:
            transaction.change(text("ALTER TABLE decisions DROP COLUMN confidence"))
            transaction.change(text("ALTER TABLE agents DROP COLUMN search"))
            undo_0021(transaction)
            transaction.change(text("UPDATE alembic_version SET version_num = '0019'"))
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert whole(stores)
        with stores._connections.read() as transaction:
            row = transaction.row(text("SELECT confidence, decision FROM decisions"))
        assert row.confidence == decision().confidence.value
        assert row.decision.startswith("sg1.1.")
        assert [one.execution for one in stores.orders.ended(ORDER.digest, ORDER.environment)] == [
            REPORT.outcome
        ]


def test_equal_words_of_two_people_are_sealed_each_for_its_own_row(url, keeper, monkeypatch):
    monkeypatch.setattr(data_keys, "_BATCH", 1)  # a page ends between them
    people = ("ada@local", "bob@local", "cy@local")
    with contextlib.closing(open_database(url)) as stores:
        stores.incidents.open(nouns.incident())
        stores.approvals.open(QUESTIONED)
        for number, name in enumerate(people):
            at = NOW + timedelta(seconds=number)
            stores.approvals.agree(Agreement(QUESTIONED.id, name, at, YES))
        for number in "12":
            one = dataclasses.replace(CHANGE, id=number)
            stores.changes.put("drill", [one], received_at=NOW)
    with contextlib.closing(open_database(url, keeper)) as stores:
        notes = [one.note for one in stores.approvals.agreements(QUESTIONED.id)]
        assert notes == [YES, YES, YES]
        for statement in ("SELECT note FROM approval_agreements", "SELECT summary FROM changes"):
            with stores._connections.read() as transaction:
                rows = [row[0] for row in transaction.rows(text(statement))]
            assert len(rows) == len(set(rows)), "no two are the same text"
            assert all(row.startswith("sg1.1.") for row in rows)


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


@pytest.mark.parametrize("keeps", [True, False])
def test_half_a_surrogate_pair_is_refused_while_its_sender_listens(url, keeper, keeps):
    with contextlib.closing(open_database(url, keeper if keeps else None)) as stores:
        stores.incidents.open(nouns.incident())
        with pytest.raises(errors.Rejected, match="surrogate"):
            stores.care.settle(QUESTIONED.incident, Signed("ada@local", NOW), "by \ud800 hand")
        assert stores.care.of(QUESTIONED.incident).settled is None
