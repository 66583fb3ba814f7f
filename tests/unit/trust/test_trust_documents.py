import base64
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.model import ids
from sentienguard.model.order import Order
from sentienguard.trust import canonical, catalogue, dsse, keys, order, root

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
LATER = NOW + timedelta(days=365)
HOUR = timedelta(hours=1)


def key(name: str) -> keys.SigningKey:
    return keys.SigningKey.from_seed(name.encode().ljust(32, b"."))


ROOTS = [key(f"root{n}") for n in range(3)]
SIGNERS = [key(f"signer{n}") for n in range(3)]
APPROVERS = [key(f"approver{n}") for n in range(3)]
DISPATCH, LOG = key("dispatch"), key("log")


def roles(**changed):
    usual = {
        root.RoleName.ROOT: (ROOTS, 2),
        root.RoleName.SIGNER: (SIGNERS, 2),
        root.RoleName.DISPATCH: ([DISPATCH], 1),
        root.RoleName.LOG: ([LOG], 1),
        root.RoleName.APPROVER: (APPROVERS, 2),
    }
    usual |= {root.RoleName(name): value for name, value in changed.items()}
    return {role: ([one.public for one in members], n) for role, (members, n) in usual.items()}


def root_payload(version=1, expires_at=LATER, **changed):
    return root.payload(
        version=version,
        expires_at=expires_at,
        roles=roles(**changed),
        log_origin="test.example/log",
    )


def root_envelope(signers=ROOTS[:2], **changed):
    return dsse.seal(root.PAYLOAD_TYPE, root_payload(**changed), signers)


def opened(**changed):
    envelope = root_envelope(**changed)
    return root.first(envelope, root.digest_of(envelope), now=NOW)


ROOT = opened()


# --- root


def test_the_first_root_is_the_pinned_one():
    assert ROOT.version == 1
    assert ROOT.log_origin == "test.example/log"
    assert ROOT.trusted(root.RoleName.DISPATCH) == {DISPATCH.id: DISPATCH.public}
    assert ROOT.roles[root.RoleName.SIGNER].threshold == 2


def test_another_root_than_the_pinned_one_is_refused_however_well_signed():
    with pytest.raises(dsse.NotTrusted, match="rule 1"):
        root.first(root_envelope(version=2), ROOT.digest, now=NOW)


def test_a_pinned_root_still_needs_the_threshold_of_its_own_keys():
    envelope = root_envelope(signers=ROOTS[:1])
    with pytest.raises(dsse.NotTrusted, match="rule 5"):
        root.first(envelope, root.digest_of(envelope), now=NOW)


NEW_ROOTS = [key(f"new{n}") for n in range(3)]


@pytest.mark.parametrize(
    ("signers", "version", "accepted"),
    [
        ([*ROOTS[:2], *NEW_ROOTS[:2]], 2, True),
        ([*ROOTS[:2], *NEW_ROOTS[:2]], 7, False),  # the roots between are left out
        ([*ROOTS[:2], *NEW_ROOTS[:2]], 3, False),
        (ROOTS, 2, False),  # the new keys did not show themselves
        (NEW_ROOTS, 2, False),  # the old keys did not hand over
        ([ROOTS[0], *NEW_ROOTS], 2, False),
        ([*ROOTS[:2], *NEW_ROOTS[:2]], 1, False),
    ],
)
def test_a_later_root_is_signed_by_the_old_and_the_new_threshold(signers, version, accepted):
    envelope = root_envelope(signers=signers, version=version, root=(NEW_ROOTS, 2))
    if accepted:
        assert root.rotate(ROOT, envelope, now=NOW).version == version
        return
    with pytest.raises(dsse.NotTrusted):
        root.rotate(ROOT, envelope, now=NOW)


def test_roots_are_chained_and_the_version_never_falls():
    second = root.rotate(ROOT, root_envelope(version=2), now=NOW)
    assert root.rotate(second, root_envelope(version=2), now=NOW) == second
    with pytest.raises(dsse.NotTrusted, match="rule 3"):
        root.rotate(second, root_envelope(version=1), now=NOW)
    with pytest.raises(dsse.NotTrusted, match="rule 3"):
        root.rotate(second, root_envelope(version=2, log=([key("other")], 1)), now=NOW)


@pytest.mark.parametrize("first", [True, False])
def test_an_expired_root_is_refused(first):
    envelope = root_envelope(version=2, expires_at=NOW)
    pinned = root.digest_of(envelope)
    with pytest.raises(dsse.NotTrusted, match="rule 4"):
        root.first(envelope, pinned, now=NOW) if first else root.rotate(ROOT, envelope, now=NOW)


@pytest.mark.parametrize("online", ["dispatch", "log"])
@pytest.mark.parametrize("offline", [ROOTS, SIGNERS, APPROVERS])
def test_an_online_key_is_never_an_offline_key(online, offline):
    with pytest.raises(dsse.NotTrusted, match="rule 6"):
        root_payload(**{online: (offline[:1], 1)})


@pytest.mark.parametrize(
    "members_and_threshold", [(SIGNERS, 4), (SIGNERS, 0), ([], 1), ([SIGNERS[0], SIGNERS[0]], 1)]
)
def test_a_role_names_listed_keys_once_and_can_reach_its_threshold(members_and_threshold):
    with pytest.raises(dsse.NotTrusted):
        root_payload(signer=members_and_threshold)


def test_nobody_has_to_approve_by_signature():
    assert opened(approver=([], 1)).trusted(root.RoleName.APPROVER) == {}


def raw_root(**changed):
    return canonical.decode(root_payload()) | changed


@pytest.mark.parametrize(
    "payload",
    [
        raw_root(v=2),
        raw_root(v=True),
        raw_root(more=1),
        raw_root(version=0),
        raw_root(version=True),
        raw_root(version="1"),
        raw_root(expires_ms=-1),
        raw_root(expires_ms=2**52),
        raw_root(keys=[]),
        raw_root(keys={ROOTS[0].id: 1}),
        raw_root(keys={ROOTS[0].id: "AAAA"}),
        raw_root(keys={ROOTS[0].id: SIGNERS[0].public.text}),
        raw_root(keys={}),
        raw_root(roles={}),
        raw_root(roles=raw_root()["roles"] | {"root": 1}),
        raw_root(roles=raw_root()["roles"] | {"root": {"keyids": [1], "threshold": 1}}),
        raw_root(log_origin=""),
        raw_root(log_origin="with blank"),
        raw_root(log_origin="a+b"),
        raw_root(log_origin=1),
        [],
    ],
)
def test_a_root_of_another_form_is_refused_even_when_pinned_and_signed(payload):
    envelope = dsse.seal(root.PAYLOAD_TYPE, canonical.encode(payload), ROOTS)
    with pytest.raises(dsse.NotTrusted):
        root.first(envelope, root.digest_of(envelope), now=NOW)


def test_a_key_is_listed_under_its_own_id():
    listed = dict(raw_root()["keys"])
    listed[DISPATCH.id], listed[LOG.id] = listed[LOG.id], listed[DISPATCH.id]
    envelope = dsse.seal(root.PAYLOAD_TYPE, canonical.encode(raw_root(keys=listed)), ROOTS)
    pinned = root.digest_of(envelope)
    with pytest.raises(dsse.NotTrusted, match="rule 5"):
        root.first(envelope, pinned, now=NOW)


def test_a_root_in_bytes_that_are_not_canonical_is_refused():
    envelope = dsse.seal(root.PAYLOAD_TYPE, root_payload() + b"\n", ROOTS)
    with pytest.raises(dsse.NotTrusted, match="canonical"):
        root.first(envelope, root.digest_of(envelope), now=NOW)


# --- catalogue

CLEANUP = catalogue.Listed(ids.PlaybookName("disk_cleanup"), "1.0.0", ids.digest(b"cleanup"))
REVOKED = catalogue.Listed(
    ids.PlaybookName("restart"), "1.0.0", ids.digest(b"restart"), revoked=True
)


def catalogue_envelope(
    version=3, expires_at=LATER, playbooks=(CLEANUP, REVOKED), signers=SIGNERS[:2]
):
    payload = catalogue.payload(version=version, expires_at=expires_at, playbooks=playbooks)
    return dsse.seal(catalogue.PAYLOAD_TYPE, payload, signers)


def test_a_catalogue_says_which_digests_may_run():
    found = catalogue.open_catalogue(catalogue_envelope(), ROOT, now=NOW, newest_seen=3)
    assert found.find(CLEANUP.digest) == CLEANUP
    assert found.permits(CLEANUP.digest)
    assert not found.permits(REVOKED.digest)
    assert found.find(ids.digest(b"another")) is None
    assert not found.permits(ids.digest(b"another"))


@pytest.mark.parametrize("signers", [SIGNERS[:1], [DISPATCH, LOG], [*ROOTS], [SIGNERS[0]] * 2])
def test_a_catalogue_needs_the_threshold_of_the_signers(signers):
    with pytest.raises(dsse.NotTrusted, match="rule 5"):
        catalogue.open_catalogue(catalogue_envelope(signers=signers), ROOT, now=NOW)


def test_an_expired_catalogue_is_refused():
    with pytest.raises(dsse.NotTrusted, match="rule 2"):
        catalogue.open_catalogue(catalogue_envelope(expires_at=NOW), ROOT, now=NOW)


def test_a_catalogue_never_gets_older():
    with pytest.raises(catalogue.RolledBack, match="rule 3"):
        catalogue.open_catalogue(catalogue_envelope(), ROOT, now=NOW, newest_seen=4)


def test_one_version_has_one_content():
    seen = catalogue.open_catalogue(catalogue_envelope(), ROOT, now=NOW)
    again = catalogue.open_catalogue(
        catalogue_envelope(), ROOT, now=NOW, newest_seen=3, newest_digest=seen.digest
    )
    assert again == seen
    with pytest.raises(catalogue.RolledBack, match="rule 3"):
        catalogue.open_catalogue(
            catalogue_envelope(playbooks=[CLEANUP]),
            ROOT,
            now=NOW,
            newest_seen=3,
            newest_digest=seen.digest,
        )


@pytest.mark.parametrize(
    "playbooks",
    [
        [CLEANUP, dataclasses.replace(CLEANUP, version="2")],
        [CLEANUP, dataclasses.replace(CLEANUP, digest=ids.digest(b"other"))],
        [dataclasses.replace(CLEANUP, name=ids.PlaybookName("Not A Name"))],
        [dataclasses.replace(CLEANUP, digest=ids.Digest("sha256:12"))],
        [dataclasses.replace(CLEANUP, version="1\n")],
    ],
)
def test_a_catalogue_that_is_ambiguous_or_malformed_cannot_be_made(playbooks):
    with pytest.raises(dsse.NotTrusted):
        catalogue.payload(version=1, expires_at=LATER, playbooks=playbooks)


def test_what_a_playbook_proved_is_signed_too():
    record = catalogue.ProvingRecord(
        CLEANUP.name, "1.0.0", CLEANUP.digest, (catalogue.Proven("disk-full", 40, 40),)
    )
    payload = catalogue.proving_payload(record)
    envelope = dsse.seal(catalogue.PROVING_TYPE, payload, SIGNERS)
    assert catalogue.open_proving(envelope, ROOT) == record
    with pytest.raises(dsse.NotTrusted):
        catalogue.open_proving(dsse.seal(catalogue.PROVING_TYPE, payload, [DISPATCH]), ROOT)
    boasting = dataclasses.replace(record, proven=(catalogue.Proven("disk-full", 40, 41),))
    with pytest.raises(dsse.NotTrusted, match="verified"):
        catalogue.proving_payload(boasting)


# --- orders, stops, approvals

INCIDENT = ids.incident_id(NOW, b"\xa8\xf3\xb2\xc1")
ORDER = Order(
    id=ids.order_id(INCIDENT, CLEANUP.digest, dry_run=False),
    incident=INCIDENT,
    agent=ids.AgentId("4f5a3c1e-8f6e-4a58-9c53-0f2f6f8d2b11"),
    environment="production",
    playbook=CLEANUP.name,
    version="1.0.0",
    digest=CLEANUP.digest,
    parameters={"mount": "/var"},
    facts={"anomaly_sigma": "6.63", "tag.service": "postgresql", "tag.app.kubernetes.io/name": "x"},
    dry_run=False,
    created_at=NOW,
    deadline_s=600,
)
SIGNED = order.SignedOrder(ORDER, nonce="ab" * 16, seq=7)


def approving(deed, name, signer, *, lasts=HOUR):
    return order.seal_approval(deed, name, signer, expires_at=NOW + lasts)


def with_approvals(*approvals):
    return dataclasses.replace(SIGNED, approvals=tuple(approvals))


def test_an_order_comes_back_as_it_was_sealed():
    signed = with_approvals(approving(ORDER, "bob", APPROVERS[0]))
    assert order.open_order(order.seal_order(signed, DISPATCH), ROOT) == signed


@pytest.mark.parametrize("signer", [LOG, SIGNERS[0], ROOTS[0], APPROVERS[0], key("stranger")])
def test_only_the_dispatch_key_signs_orders_and_stops(signer):
    with pytest.raises(dsse.NotTrusted, match="rule 5"):
        order.open_order(order.seal_order(SIGNED, signer), ROOT)
    stop = order.SignedStop(ORDER.id, ORDER.agent, "ab" * 16, 8, "alice")
    with pytest.raises(dsse.NotTrusted, match="rule 5"):
        order.open_stop(order.seal_stop(stop, signer), ROOT)


def test_a_stop_comes_back_as_it_was_sealed_and_is_no_order():
    stop = order.SignedStop(ORDER.id, ORDER.agent, "ab" * 16, 8, "alice@example.com")
    envelope = order.seal_stop(stop, DISPATCH)
    assert order.open_stop(envelope, ROOT) == stop
    with pytest.raises(dsse.NotTrusted, match="rule 2"):
        order.open_order(envelope, ROOT)


def raw_order(**changed):
    payload = base64.b64decode(order.seal_order(SIGNED, DISPATCH)["payload"])
    return canonical.decode(payload) | changed


MEMBERS = [
    ("v", 2), ("order_id", "ord_1"), ("order_id", 1), ("incident_id", "inc_1"), ("agent_id", ""),
    ("agent_id", "a b"), ("environment", "pro\nduction"), ("playbook", "Disk"), ("playbook", None),
    ("version", ""), ("digest", "sha256:00"), ("digest", "0" * 64), ("parameters", []),
    ("parameters", {"mount": 1}), ("parameters", {"Mount": "/"}), ("parameters", {"mount": "a\nb"}),
    ("parameters", {f"p{n}": "x" for n in range(33)}), ("parameters", {"mount": "x" * 1025}),
    ("facts", {"a": None}), ("facts", 1), ("dry_run", 1), ("dry_run", "false"), ("created_ms", "1"),
    ("created_ms", -1), ("deadline_s", 0), ("deadline_s", 86_401), ("deadline_s", True),
    ("nonce", ""), ("nonce", "AB" * 16), ("nonce", "ab" * 15), ("seq", 0), ("seq", "7"),
    ("approvals", {}), ("approvals", [1]), ("approvals", [{}] * 17), ("more", 1),
]  # fmt: skip


@pytest.mark.parametrize(("member", "value"), MEMBERS)
def test_an_order_of_another_form_is_refused_even_when_signed(member, value):
    payload = canonical.encode(raw_order(**{member: value}))
    envelope = dsse.seal(order.ORDER_TYPE, payload, [DISPATCH])
    with pytest.raises(dsse.NotTrusted):
        order.open_order(envelope, ROOT)


@pytest.mark.parametrize("member", sorted(raw_order()))
def test_an_order_without_one_of_its_members_is_refused(member):
    found = raw_order()
    del found[member]
    envelope = dsse.seal(order.ORDER_TYPE, canonical.encode(found), [DISPATCH])
    with pytest.raises(dsse.NotTrusted):
        order.open_order(envelope, ROOT)


def test_approvals_are_counted_by_distinct_approver_keys():
    bob = approving(ORDER, "bob", APPROVERS[0])
    bob_again = approving(ORDER, "robert", APPROVERS[0])
    eve = approving(ORDER, "eve", key("eve"))
    ann = approving(ORDER, "ann", APPROVERS[1])
    with pytest.raises(dsse.NotTrusted, match="2 approvals"):
        order.require_approvals(with_approvals(bob, bob_again, eve, {}), ROOT, NOW)
    found = order.require_approvals(with_approvals(eve, {"junk": 1}, bob, ann), ROOT, NOW)
    assert found == {APPROVERS[0].id: "bob", APPROVERS[1].id: "ann"}


@pytest.mark.parametrize(
    "other",
    [
        {"id": ids.OrderId("ord_0123456789abcdef")},
        {"incident": ids.incident_id(NOW, b"1234")},
        {"agent": ids.AgentId("another-agent")},
        {"environment": "staging"},
        {"digest": ids.digest(b"other")},
        {"parameters": {"mount": "/"}},
        {"dry_run": True},
    ],
    ids=lambda other: next(iter(other)),
)
def test_an_approval_of_another_deed_counts_for_nothing(other):
    copied = approving(dataclasses.replace(ORDER, **other), "bob", APPROVERS[0])
    assert order.approved_by(with_approvals(copied), ROOT, NOW) == {}
