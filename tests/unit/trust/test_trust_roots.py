"""Chains of roots, and limits of signers."""

from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.model import ids
from sentienguard.trust import canonical, catalogue, delegation, dsse, keys, root

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
LATER, BEFORE = NOW + timedelta(days=365), NOW - timedelta(days=1)
RoleName = root.RoleName


def key(name):
    return keys.SigningKey.from_seed(name.encode().ljust(32, b"."))


GROUPS = [[key(f"g{group}-{n}") for n in range(3)] for group in range(4)]  # root keys over time
SIGNERS = [key(f"signer{n}") for n in range(3)]
DISPATCH, LOG = key("dispatch"), key("log")


def sealed(version, members, signed, *, expires_at=LATER, signers=(SIGNERS, 1), limits=None):
    payload = root.payload(
        version=version,
        expires_at=expires_at,
        roles={
            RoleName.ROOT: ([one.public for one in members], 2),
            RoleName.SIGNER: ([one.public for one in signers[0]], signers[1]),
            RoleName.DISPATCH: ([DISPATCH.public], 1),
            RoleName.LOG: ([LOG.public], 1),
            RoleName.APPROVER: ([], 1),
        },
        log_origin="test.example/log",
        delegations=limits,
    )
    return dsse.seal(root.PAYLOAD_TYPE, payload, signed)


def link(version, **changes):
    """Make the root that hands over from the group before to the group of its version."""
    before, members = GROUPS[max(version - 2, 0)], GROUPS[version - 1]
    signed = members[:2] if version == 1 else [*before[:2], *members[:2]]
    return sealed(version, members, changes.pop("signed", signed), **changes)


CHAIN = [link(version) for version in (1, 2, 3, 4)]
FIRST = root.first(CHAIN[0], root.digest_of(CHAIN[0]), now=NOW)


def test_a_host_follows_several_roots_at_once_though_all_keys_changed():
    assert root.follow(FIRST, CHAIN, now=NOW).version == 4
    assert root.follow(FIRST, CHAIN[1:], now=NOW).version == 4
    with pytest.raises(dsse.NotTrusted):
        root.follow(FIRST, [CHAIN[3]], now=NOW)


def test_a_host_follows_from_wherever_it_is():
    second = root.follow(FIRST, CHAIN[:2], now=NOW)
    assert root.follow(second, CHAIN, now=NOW).version == 4
    assert root.follow(second, CHAIN[:2], now=NOW) == second


def test_a_root_that_only_leads_on_may_have_expired_and_the_last_may_not():
    chain = [CHAIN[0], link(2, expires_at=BEFORE), CHAIN[2]]
    assert root.follow(FIRST, chain, now=NOW).version == 3
    with pytest.raises(dsse.NotTrusted, match="rule 4"):
        root.follow(FIRST, [CHAIN[1], link(3, expires_at=BEFORE)], now=NOW)


def test_a_host_whose_own_root_expired_long_ago_follows():
    pinned = link(1, expires_at=BEFORE)
    start = root.first(pinned, root.digest_of(pinned), now=BEFORE - timedelta(days=1))
    assert root.follow(start, CHAIN[1:], now=NOW).version == 4
    assert root.enter([pinned, *CHAIN[1:]], start.digest, now=NOW).version == 4
    with pytest.raises(dsse.NotTrusted, match="rule 4"):
        root.enter([pinned], start.digest, now=NOW)


BROKEN = {
    "a link left out": [CHAIN[0], CHAIN[2]],
    "two left out": [CHAIN[3]],
    "the old threshold not reached": [link(2, signed=[GROUPS[0][0], *GROUPS[1][:2]])],
    "the new threshold not reached": [link(2, signed=[*GROUPS[0][:2], GROUPS[1][0]])],
    "one old key that signed twice": [link(2, signed=[GROUPS[0][0]] * 2 + GROUPS[1][:2])],
    "signed by the new keys alone": [link(2, signed=GROUPS[1])],
    "signed by the keys before the last": [
        CHAIN[1],
        link(3, signed=[*GROUPS[0][:2], *GROUPS[2][:2]]),
    ],
    "another first root among them": [
        sealed(1, GROUPS[0], GROUPS[0], expires_at=NOW + timedelta(days=1)),
        CHAIN[1],
    ],
    "another second root after the second": [
        CHAIN[1],
        link(2, expires_at=NOW + timedelta(days=1)),
        CHAIN[2],
    ],
    "the last is an older one": [CHAIN[1], CHAIN[0]],
    "the order turned around": [CHAIN[2], CHAIN[1]],
    "nothing": [],
    "too many": [CHAIN[0]] * (root.MAX_CHAIN + 1),
    "no envelope in it": [{}, CHAIN[1]],
}


@pytest.mark.parametrize("chain", BROKEN.values(), ids=BROKEN.keys())
def test_a_chain_that_does_not_hold_everywhere_is_refused(chain):
    with pytest.raises(dsse.NotTrusted):
        root.follow(FIRST, chain, now=NOW)


def test_the_pinned_root_is_found_anywhere_in_a_chain_and_has_to_be_there():
    assert root.enter(CHAIN, FIRST.digest, now=NOW).version == 4
    assert root.enter(CHAIN, root.digest_of(CHAIN[2]), now=NOW).version == 4
    with pytest.raises(dsse.NotTrusted, match="rule 1"):
        root.enter(CHAIN[1:], FIRST.digest, now=NOW)
    with pytest.raises(dsse.NotTrusted):
        root.enter([], FIRST.digest, now=NOW)


# --- limits of signers

PRODUCTION = delegation.Delegation(environments=("production",))
DATABASES = delegation.Delegation(prefixes=("db_", "pg_"))
BOTH = delegation.Delegation(environments=("staging", "dev"), prefixes=("db_",))


@pytest.mark.parametrize(
    ("limit", "name", "environment", "reached"),
    [
        (delegation.Delegation(), "anything", "anywhere", True),
        (PRODUCTION, "anything", "production", True),
        (PRODUCTION, "anything", "production2", False),
        (PRODUCTION, "anything", "prod", False),
        (PRODUCTION, "anything", None, True),
        (DATABASES, "db_vacuum", "production", True),
        (DATABASES, "pg_", "production", True),
        (DATABASES, "db", "production", False),
        (DATABASES, "my_db_vacuum", "production", False),
        (DATABASES, "disk_cleanup", None, False),
        (BOTH, "db_vacuum", "staging", True),
        (BOTH, "db_vacuum", "production", False),
        (BOTH, "disk_cleanup", "staging", False),
    ],
)
def test_how_far_a_limit_reaches(limit, name, environment, reached):
    assert limit.reaches(name, environment) is reached


def limited(limits, threshold=1):
    signers = (SIGNERS, threshold)
    envelope = sealed(1, GROUPS[0], GROUPS[0], signers=signers, limits=limits)
    return root.first(envelope, root.digest_of(envelope), now=NOW)


def test_limits_come_back_as_they_were_signed_and_a_root_without_any_has_no_such_member():
    found = limited({SIGNERS[0].id: BOTH, SIGNERS[1].id: PRODUCTION})
    assert found.delegations == {SIGNERS[0].id: BOTH, SIGNERS[1].id: PRODUCTION}
    assert limited({}).delegations == {}
    payload, _ = dsse.opened(sealed(1, GROUPS[0], []), root.PAYLOAD_TYPE, ())
    assert "delegations" not in canonical.decode(payload)


GOOD = {"environments": ["production"]}
MALFORMED = [
    {},
    [],
    {DISPATCH.id: GOOD},
    {GROUPS[0][0].id: GOOD},
    {"0" * 16: GOOD},
    {SIGNERS[0].id: {}},
    {SIGNERS[0].id: []},
    {SIGNERS[0].id: {"environments": []}},
    {SIGNERS[0].id: {"prefixes": []}},
    {SIGNERS[0].id: {"prefixes": [""]}},
    {SIGNERS[0].id: {"prefixes": "db_"}},
    {SIGNERS[0].id: {"prefixes": ["db_", "db_"]}},
    {SIGNERS[0].id: {"prefixes": ["DB"]}},
    {SIGNERS[0].id: {"prefixes": ["db_", 1]}},
    {SIGNERS[0].id: {"environments": ["a b"]}},
    {SIGNERS[0].id: {"environments": ["*"]}},
    {SIGNERS[0].id: {"environments": [f"e{n}" for n in range(65)]}},
    {SIGNERS[0].id: {**GOOD, "until": 1}},
]


@pytest.mark.parametrize("found", MALFORMED)
def test_limits_of_another_form_are_refused_even_when_signed(found):
    payload, _ = dsse.opened(sealed(1, GROUPS[0], []), root.PAYLOAD_TYPE, ())
    changed = canonical.encode(canonical.decode(payload) | {"delegations": found})
    envelope = dsse.seal(root.PAYLOAD_TYPE, changed, GROUPS[0])
    with pytest.raises(dsse.NotTrusted):
        root.first(envelope, root.digest_of(envelope), now=NOW)


DB = catalogue.Listed(ids.PlaybookName("db_vacuum"), "1.0.0", ids.digest(b"db"))
DISK = catalogue.Listed(ids.PlaybookName("disk_cleanup"), "1.0.0", ids.digest(b"disk"))
GONE = catalogue.Listed(ids.PlaybookName("disk_wipe"), "1.0.0", ids.digest(b"gone"), revoked=True)


def listing(signers, *playbooks):
    payload = catalogue.payload(version=1, expires_at=LATER, playbooks=playbooks)
    return dsse.seal(catalogue.PAYLOAD_TYPE, payload, signers)


@pytest.mark.parametrize(
    ("limits", "threshold", "signers", "playbooks", "accepted"),
    [
        ({0: DATABASES}, 1, [0], [DB], True),
        ({0: DATABASES}, 1, [0], [DB, DISK], False),
        ({0: DATABASES}, 1, [0, 1], [DB, DISK], True),  # an unlimited one signed too
        ({0: DATABASES}, 1, [0], [DB, GONE], True),  # taking back needs no reach
        ({0: DATABASES}, 2, [0, 1], [DB], True),
        ({0: DATABASES}, 2, [0, 1], [DISK], False),  # the narrowest that is needed
        ({0: DATABASES}, 2, [0, 1, 2], [DISK], True),
        (
            {0: DATABASES, 1: delegation.Delegation(prefixes=("disk_",))},
            1,
            [0, 1],
            [DB, DISK],
            True,
        ),
        ({0: DATABASES, 1: delegation.Delegation(prefixes=("disk_",))}, 2, [0, 1], [DB], False),
    ],
)
def test_a_catalogue_lists_only_what_enough_of_its_signers_reach(
    limits, threshold, signers, playbooks, accepted
):
    trusted = limited({SIGNERS[n].id: one for n, one in limits.items()}, threshold)
    envelope = listing([SIGNERS[n] for n in signers], *playbooks)
    if accepted:
        assert catalogue.open_catalogue(envelope, trusted, now=NOW).version == 1
        return
    with pytest.raises(dsse.NotTrusted, match="rule 5"):
        catalogue.open_catalogue(envelope, trusted, now=NOW)


def test_where_a_playbook_may_run_is_asked_for_each_environment():
    trusted = limited({SIGNERS[0].id: PRODUCTION})
    envelope = listing([SIGNERS[0]], DB)
    assert catalogue.open_catalogue(envelope, trusted, now=NOW)
    assert catalogue.outside(envelope, trusted, DB.name, "production") is None
    assert "staging" in (catalogue.outside(envelope, trusted, DB.name, "staging") or "")
    both = listing(SIGNERS[:2], DB)
    assert catalogue.outside(both, trusted, DB.name, "staging") is None


def test_a_proving_record_is_signed_by_who_reaches_its_playbook():
    trusted = limited({SIGNERS[0].id: DATABASES})
    for listed, signer, accepted in (
        (DB, SIGNERS[0], True),
        (DISK, SIGNERS[0], False),
        (DISK, SIGNERS[1], True),
    ):
        record = catalogue.ProvingRecord(listed.name, "1.0.0", listed.digest, ())
        payload = catalogue.proving_payload(record)
        envelope = dsse.seal(catalogue.PROVING_TYPE, payload, [signer])
        if accepted:
            assert catalogue.open_proving(envelope, trusted) == record
            continue
        with pytest.raises(dsse.NotTrusted, match="rule 5"):
            catalogue.open_proving(envelope, trusted)
