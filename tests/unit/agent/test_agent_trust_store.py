"""What an executor trusts, on real files: chains of roots, and what it never goes back behind."""

import base64
import json
from datetime import timedelta

import pytest

from sentienguard.agent import executor_state, trust_store
from sentienguard.model import ids
from sentienguard.trust import catalogue, dsse
from sentienguard.trust import root as roots
from sentienguard.trust.root import RoleName
from tests.support import execution

CENTRE = execution.Centre()
NOW, LATER = CENTRE.now, CENTRE.now + timedelta(days=90)
STORED = b"name: x"
LISTED = catalogue.Listed(ids.PlaybookName("x"), "1.0.0", ids.digest(STORED))
PLAYBOOKS = {LISTED.digest: base64.b64encode(STORED).decode()}


def root(version, *, root_key=None, before=None, signer=None, expires_at=LATER, dispatch=None):
    key = root_key or CENTRE.root_key
    payload = roots.payload(
        version=version,
        expires_at=expires_at,
        roles={
            RoleName.ROOT: ([key.public], 1),
            RoleName.SIGNER: ([(signer or CENTRE.signer).public], 1),
            RoleName.DISPATCH: ([(dispatch or CENTRE.dispatch).public], 1),
            RoleName.LOG: ([CENTRE.log.public], 1),
            RoleName.APPROVER: ([], 1),
        },
        log_origin=execution.ORIGIN,
    )
    return dsse.seal(roots.PAYLOAD_TYPE, payload, [key] if before is None else [before, key])


KEYS = [execution.key(n) for n in (50, 51, 52)]  # root keys of versions 1, 2 and 3
CHAIN = [root(n + 1, root_key=KEYS[n], before=KEYS[n - 1] if n else None) for n in range(3)]
PINNED = roots.digest_of(CHAIN[0])


def catalogue_of(version=1, signer=None, listed=(LISTED,)):
    return CENTRE.catalogue_envelope(listed, version=version, signers=[signer or CENTRE.signer])


class Host:
    """An executor's trust on disk."""

    def __init__(self, place):
        self.place = place
        self.restart()

    def restart(self):
        state = executor_state.ExecutorState(self.place / "state.json")
        self.store = trust_store.TrustStore(self.place / "trust", PINNED, state, lambda *_: None)

    def hear(self, *chain, listing=None, now=NOW):
        """Bring a configuration; return the version of the root that is trusted after it."""
        try:
            self.store.accept(
                chain[-1], listing or catalogue_of(), PLAYBOOKS, now, earlier=chain[:-1]
            )
        except dsse.NotTrusted as error:
            self.refused = str(error)
        else:
            self.refused = ""
        return None if self.store.root is None else self.store.root.version


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_a_host_that_was_away_follows_several_roots_and_keeps_the_last(host):
    assert host.hear(CHAIN[0]) == 1
    assert host.hear(CHAIN[2]) == 1
    assert host.refused
    assert host.hear(*CHAIN) == 3
    assert not host.refused
    host.restart()
    assert host.store.root.version == 3
    assert host.store.catalogue.version == 1


def test_a_new_host_enters_a_chain_at_its_pinned_root(host):
    assert host.hear(CHAIN[1], CHAIN[2]) is None  # the pinned one is not there
    assert host.hear(*CHAIN) == 3


def test_a_root_never_falls_nor_changes_whatever_is_lost(host):
    host.hear(*CHAIN)
    other = root(3, root_key=KEYS[2], before=KEYS[1], dispatch=execution.key(60))
    for brought in ([CHAIN[0]], [CHAIN[1]], CHAIN[:2], [*CHAIN[:2], other], [other]):
        for lost in ("", "root.json", "catalogue.json"):
            if lost:
                (host.place / "trust" / lost).unlink()
            host.restart()
            host.hear(*brought)
            assert host.refused, lost
            host.restart()
            assert host.store.root is None or host.store.root.digest == roots.digest_of(CHAIN[2])
            assert host.hear(*CHAIN) == 3


@pytest.mark.parametrize("older", [CHAIN[0], CHAIN[1]])
def test_an_older_file_put_back_is_not_trusted_at_the_next_start(host, older):
    host.hear(*CHAIN)
    (host.place / "trust" / "root.json").write_text(json.dumps(older))
    host.restart()
    assert host.store.root is None
    assert "expected root version 3" in host.store.problem
    assert host.hear(*CHAIN) == 3


def test_the_root_counts_though_the_catalogue_beside_it_does_not(host):
    stolen = execution.key(61)
    first = root(1, root_key=KEYS[0], signer=stolen)
    state = executor_state.ExecutorState(host.place / "state.json")
    host.store = trust_store.TrustStore(
        host.place / "trust", roots.digest_of(first), state, lambda *_: None
    )
    listing = catalogue_of(signer=stolen)
    assert host.hear(first, listing=listing) == 1
    assert not host.refused
    struck_off = root(2, root_key=KEYS[1], before=KEYS[0])
    assert host.hear(struck_off, listing=listing) == 2
    assert host.refused
    with pytest.raises(dsse.NotTrusted):  # what admission asks of the catalogue that is kept
        host.store.root.open(host.store.catalogue_envelope, catalogue.PAYLOAD_TYPE, RoleName.SIGNER)
    host.restart()
    assert host.store.root is not None or host.store.problem
    assert host.store.catalogue is None


def test_an_expired_link_leads_on_and_an_expired_end_does_not(host):
    host.hear(CHAIN[0])
    gone = NOW - timedelta(days=1)
    link = root(2, root_key=KEYS[1], before=KEYS[0], expires_at=gone)
    end = root(3, root_key=KEYS[2], before=KEYS[1], expires_at=gone)
    assert host.hear(CHAIN[0], link, end) == 1
    assert "expired" in host.refused
    assert host.hear(CHAIN[0], link, CHAIN[2]) == 3


def test_a_mark_of_an_earlier_release_without_a_digest_still_counts(host):
    host.hear(*CHAIN)
    host.store._state.keep("root", {"version": 3})
    host.restart()
    assert host.store.root.version == 3
    assert host.hear(*CHAIN) == 3
    assert host.store._state.get("root")["digest"] == roots.digest_of(CHAIN[2])


def test_what_was_revoked_does_not_come_back_with_an_older_catalogue(host):
    host.hear(CHAIN[0], listing=catalogue_of(1))
    gone = catalogue.Listed(LISTED.name, LISTED.version, LISTED.digest, revoked=True)
    host.hear(CHAIN[0], listing=catalogue_of(2, listed=[gone]))
    assert not host.refused
    host.hear(*CHAIN, listing=catalogue_of(1))  # beside a newer root, too
    assert "rule 3" in host.refused
    assert not host.store.catalogue.permits(LISTED.digest)
    host.restart()
    assert not host.store.catalogue.permits(LISTED.digest)
