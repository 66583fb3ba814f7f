"""An executor without some of its guards, or with a clock that is wrong. Only for attacks.

Run by dispatch_scene as a process of its own, in place of the real one, with DIRECTORY, CLOCK and
GUARD,GUARD as its arguments. CLOCK is a file with two numbers: seconds that wall time and monotonic
time are ahead. A guard is a check of `admission.TABLE`, by its name, or one of `GUARDS`: what
stands outside of the table. Each is taken out as a careless change would: the check is gone and
everything else is as it was.
"""

import base64
import contextlib
import dataclasses
import hashlib
import itertools
import json
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from sentienguard.adapters.local_host import clock
from sentienguard.agent import executor, order_intake, trust_store
from sentienguard.model import ids
from sentienguard.playbook import conditions as language
from sentienguard.stages.execute import admission, conditions, engine, memory, parameters
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.trust import (
    approvers,
    canonical,
    dsse,
    encoding,
    fields,
    freshness,
    keys,
    passkeys,
    ssh_approvals,
    ssh_keys,
    ssh_wire,
    sshsig,
    webauthn,
)
from sentienguard.trust import catalogue as catalogues
from sentienguard.trust import order as orders
from sentienguard.trust import root as roots

WITHOUT: set[str] = set()  # what this process does without
_TYPES = (orders.ORDER_TYPE, orders.STOP_TYPE, orders.APPROVAL_TYPE)


def on(guard: str) -> bool:
    """Tell whether a guard stands."""
    return guard not in WITHOUT


# -- envelopes -------------------------------------------------------------------------------------


def _verify_nothing() -> None:
    keys.VerifyKey.verify = lambda self, signature, message: True


def _signers(envelope, payload_type, trusted):
    """Do what dsse.opened does, as far as its rules stand; a key may come twice."""
    found_type, payload, signatures = dsse._taken_apart(envelope)
    if on("type_is_compared") and found_type != payload_type:
        raise dsse.NotTrusted("rule 2")
    kinds = (payload_type,) if on("type_is_signed") else (payload_type, *_TYPES)
    messages = [dsse.pre_authentication(kind, payload) for kind in kinds]
    remaining, found = {key.raw: key for key in trusted}, []
    for _, signature in signatures:
        good = [
            key for key in remaining.values() if any(key.verify(signature, one) for one in messages)
        ]
        found += good[:1]
        if good and on("key_counts_once"):
            del remaining[good[0].raw]
    return payload, found


def _opened(envelope, payload_type, trusted):
    payload, found = _signers(envelope, payload_type, trusted)
    return payload, frozenset(found)


def _open_envelope(envelope, payload_type, trusted, threshold):
    payload, found = _signers(envelope, payload_type, trusted.values())
    if len(found) < (threshold if on("signatures_are_counted") else 1):
        raise dsse.NotTrusted("rule 5")
    return payload


def _envelopes() -> None:
    dsse.opened, dsse.open_envelope = _opened, _open_envelope


def _any_json() -> None:
    canonical.decode = json.loads


# -- root and catalogue ----------------------------------------------------------------------------


def _following(envelope, now):
    found = roots._read(dsse.opened(envelope, roots.PAYLOAD_TYPE, ())[0])
    if on("root_signs_itself"):
        found.open(envelope, roots.PAYLOAD_TYPE, roots.RoleName.ROOT)
    if on("root_expiry_at_the_door"):
        found.require_current(now)
    return found


def _rotate(current, envelope, *, now):
    if on("root_is_chained"):
        current.open(envelope, roots.PAYLOAD_TYPE, roots.RoleName.ROOT)
    following = roots._signed_by_itself(envelope, now)
    same = following.digest == current.digest
    if on("root_version_rises") and not same and following.version <= current.version:
        raise dsse.NotTrusted("rule 3")
    return following


def _roots() -> None:
    roots._signed_by_itself, roots.rotate = _following, _rotate


def _pin_nothing() -> None:
    roots.first = lambda envelope, pinned, *, now: roots._signed_by_itself(envelope, now)


def _share_keys() -> None:
    roots._apart = lambda roles: None


def _open_catalogue(envelope, root, *, now, newest_seen=0, newest_digest=None):
    if on("catalogue_signature_at_the_door"):
        payload = root.open(envelope, catalogues.PAYLOAD_TYPE, roots.RoleName.SIGNER)
    else:
        payload, _ = dsse.opened(envelope, catalogues.PAYLOAD_TYPE, ())
    found = catalogues._read(payload)
    if on("catalogue_version_at_the_door"):
        if found.version < newest_seen:
            raise catalogues.RolledBack("rule 3")
        if found.version == newest_seen and newest_digest not in {None, found.digest}:
            raise catalogues.RolledBack("rule 3")
    if on("catalogue_reach_at_the_door"):
        catalogues._require_reach(root, envelope, found)
    if on("catalogue_expiry_at_the_door"):
        found.require_current(now)
    return found


def _catalogues() -> None:
    catalogues.open_catalogue = _open_catalogue


def _whole_or_nothing() -> None:
    """Take a root over only together with the catalogue that comes beside it."""
    accept = trust_store.TrustStore.accept

    def together(self, root, catalogue, playbooks, now, *, earlier=()):
        following = self._following_root([*earlier, root], now)
        catalogues.open_catalogue(catalogue, following, now=now, newest_seen=self.newest.version)
        return accept(self, root, catalogue, playbooks, now, earlier=earlier)

    trust_store.TrustStore.accept = together


def _forget_the_mark() -> None:
    trust_store.TrustStore._require_no_older = lambda self, root: None


def _any_bytes() -> None:
    trust_store._stored = lambda name, text, listed: (
        ids.Digest(name),
        trust_store.base64.b64decode(text),
    )


# -- freshness and memory --------------------------------------------------------------------------


def _redeem(self, nonce, monotonic_s):
    issued_s = self._issued.get(nonce)
    if on("nonce_used_once"):
        self._issued.pop(nonce, None)
    if issued_s is None:
        if on("nonce_issued_here"):
            raise freshness.NotFresh("unknown nonce")
    elif on("nonce_lifetime") and monotonic_s - issued_s > freshness.LIFETIME_S:
        raise freshness.NotFresh("old nonce")


def _nonces() -> None:
    freshness.NonceBook.redeem = _redeem


def _any_sequence() -> None:
    freshness.SequenceMark.raised_to = lambda self, seq: type(self)(seq)


def _any_leap() -> None:
    freshness.MAX_LEAP = canonical.MAX_INTEGER


def _count_misdirected() -> None:
    admission.TRANSIENT = admission.TRANSIENT - {"for_this_agent"}


def _all_at_once() -> None:
    """Judge orders beside each other; the first two wait for one another before they write."""
    begin, intend = order_intake.Intake.__init__, ledgers.Ledger.intend
    both, waited = threading.Barrier(2, timeout=5), itertools.count()

    def unlocked(self, *given):
        begin(self, *given)
        self._turn = contextlib.nullcontext()

    def in_step(self, *given):
        if next(waited) < both.parties:
            both.wait()
        intend(self, *given)

    order_intake.Intake.__init__, ledgers.Ledger.intend = unlocked, in_step


def _forgetting(forget: Callable[[memory.Memory], None]) -> Callable[[], None]:
    """Return what makes a restart forget a part of what was journaled."""

    def apply() -> None:
        begin = ledgers.Ledger.__init__

        def forgetful(self, *given):
            begin(self, *given)
            forget(self.memory)

        ledgers.Ledger.__init__ = forgetful

    return apply


# -- judging and executing -------------------------------------------------------------------------


def _any_value() -> None:
    parameters._check = lambda parameter, value, host: None


def _hear_the_order() -> None:
    def guard_holds(case):
        guard = language.parse(case.playbook.guard)
        heard = conditions.judge(guard, case.bound, case.signed.order.facts, case.host)
        return None if heard.holds else heard.seen

    heard = admission.Check("guard_holds", guard_holds)
    admission.TABLE = tuple(heard if one.name == heard.name else one for one in admission.TABLE)


def _believe_facts() -> None:
    measured = conditions.fact

    def fact(name, bound, brought, host):
        return float(brought[name]) if name in brought else measured(name, bound, brought, host)

    conditions.fact = fact


def _believe_tags() -> None:
    own = conditions._tag

    def tag(name, brought, host):
        return brought[name] if name in brought else own(name, brought, host)

    conditions._tag = tag


def _run_on() -> None:
    """Heed a stop, and not what the owner of the host says while an order runs."""
    engine._stopped_by = lambda running: running.interrupt.requested()
    order_intake.Intake.heed = lambda self: None


def _act_in_rehearsal() -> None:
    execute = engine.execute

    def acting(given, *more, **named):
        return execute(dataclasses.replace(given, dry_run=False), *more, **named)

    engine.execute = acting


def _any_deadline() -> None:
    orders.MAX_DEADLINE_S = canonical.MAX_INTEGER


def _approved_by(signed, root, now):
    found = {}
    for number, envelope in enumerate(signed.approvals):
        try:
            payload, signers = orders._approval_opened(envelope, root)
        except dsse.NotTrusted:
            if not on("approver_is_listed"):
                found[str(number)] = ""
            continue
        said = fields.document(payload, "", orders._APPROVAL)
        meant = orders._approval(signed.order, said["approver"], said["expires_ms"])
        if on("approval_names_the_deed") and payload != canonical.encode(meant):
            continue
        until = fields.moment(said, "expires_ms", "")
        if on("approval_is_not_over") and until <= now:
            continue
        if on("approval_is_for_a_day") and until > now + orders.APPROVAL_LASTS:
            continue
        if not on("approver_is_listed"):
            found[str(number)] = ""
        for keyid in signers:
            owner = root.people.get(keyid, "")
            if _is_theirs(owner, said["approver"], found):
                found[keyid if on("approver_counts_once") else str(number)] = owner
    return found


def _is_theirs(owner, name, found):
    if on("approver_is_the_owner") and owner not in {"", name}:
        return False
    return not (on("person_counts_once") and owner and owner in found.values())


def _approvals() -> None:
    orders.approved_by = _approved_by


def _passkeys() -> None:
    """Let an answer of a passkey pass for what it has to be, where its guard is gone."""
    client, device = webauthn._check_client_data, webauthn._check_authenticator_data

    def client_data(data, kind, party, challenge):
        said = json.loads(data)
        if not on("passkey_page"):
            party = dataclasses.replace(party, origin=said["origin"])
            data = json.dumps({**said, "crossOrigin": False}).encode()
        kind = kind if on("passkey_act") else said["type"]
        if not on("passkey_answers_the_deed"):
            challenge = encoding.from_base64url(said["challenge"])
        client(data, kind, party, challenge)

    def authenticator_data(data, party):
        right = hashlib.sha256(party.id.encode()).digest()
        data = data if on("passkey_party") else right + data[32:]
        flags = data[32:33] if on("passkey_person") else b"\x05"
        return device(data[:32] + flags + data[33:], party)

    webauthn._check_client_data = client_data
    webauthn._check_authenticator_data = authenticator_data


def _any_signature() -> None:
    webauthn._verify_signature = lambda public_key, signature, signed: None


def _count_spellings() -> None:
    """Read passkeys of a root under whatever id they are listed."""

    def read(found, limit):
        return {
            keyid: passkeys.ApproverKey(
                base64.b64decode(one["public_key"]), webauthn.Party(one["party"], one["origin"])
            )
            for keyid, one in found.items()
        }

    passkeys.read = read


def _list_as_both() -> None:
    """Read passkeys and SSH keys of a root without comparing them with its keys."""
    approvers.require_apart = lambda **listed: None


def _ssh() -> None:
    """Let a signature by an SSH key pass for what it has to be, where its guard is gone."""
    judge, read = ssh_approvals.opened, sshsig.taken_apart

    def taken_apart(armoured, namespace):
        names = (namespace, sshsig.PLAYBOOK, sshsig.RELEASE)
        for name in names if not on("ssh_namespace") else names[:1]:
            with contextlib.suppress(dsse.NotTrusted):
                return read(armoured, name)
        return read(armoured, namespace)

    def opened(found, payload_type, trusted):
        if not on("ssh_verified"):
            trusted = {
                keyid: dataclasses.replace(one, verify_required=False)
                for keyid, one in trusted.items()
            }
        if not on("ssh_application"):
            said = ssh_keys.SshKey._read(taken_apart(found["ssh"], sshsig.APPROVAL).public)
            trusted = {
                keyid: dataclasses.replace(one, key=said) if one.key.raw == said.raw else one
                for keyid, one in trusted.items()
            }
        return judge(found, payload_type, trusted)

    ssh_approvals.opened, sshsig.taken_apart = opened, taken_apart


def _any_ssh_signature() -> None:
    ssh_keys.SshKey._is_of = lambda self, said, signed: True


def _untouched() -> None:
    ssh_keys._require_touch = lambda flags: None


def _go_on_behind() -> None:
    ssh_wire.Reader.end = lambda self: None


def _any_size() -> None:
    sshsig.MAX_BYTES = canonical.MAX_INTEGER


# -- stops -----------------------------------------------------------------------------------------


def _stops() -> None:
    opened, intent, runs = orders.open_stop, memory.Memory._intent, []

    def remembering(self, record):
        runs.append(record["order"])
        intent(self, record)

    def open_stop(envelope, root):
        if on("stop_is_signed"):
            found = opened(envelope, root)
        else:
            found = orders._read_stop(dsse.opened(envelope, orders.STOP_TYPE, ())[0])
        if not on("stop_names_the_agent"):
            found = dataclasses.replace(found, agent=runs[-1]["agent"])
        if not on("stop_names_the_order"):
            found = dataclasses.replace(found, order=runs[-1]["id"])
        return found

    memory.Memory._intent, orders.open_stop = remembering, open_stop


# What stands outside of the table, and what takes it out.
GUARDS: Mapping[str, Callable[[], None]] = {
    "signature_is_verified": _verify_nothing,
    "type_is_compared": _envelopes,
    "type_is_signed": _envelopes,
    "key_counts_once": _envelopes,
    "signatures_are_counted": _envelopes,
    "canonical_form": _any_json,
    "root_pinned": _pin_nothing,
    "root_is_chained": _roots,
    "root_signs_itself": _roots,
    "root_version_rises": _roots,
    "root_expiry_at_the_door": _roots,
    "root_keys_apart": _share_keys,
    "catalogue_signature_at_the_door": _catalogues,
    "catalogue_version_at_the_door": _catalogues,
    "catalogue_expiry_at_the_door": _catalogues,
    "catalogue_reach_at_the_door": _catalogues,
    "root_counts_by_itself": _whole_or_nothing,
    "root_mark_survives": _forget_the_mark,
    "playbook_digest_at_the_door": _any_bytes,
    "nonce_issued_here": _nonces,
    "nonce_used_once": _nonces,
    "nonce_lifetime": _nonces,
    "sequence_leaps_are_bounded": _any_leap,
    "misdirected_counts_for_nothing": _count_misdirected,
    "one_turn": _all_at_once,
    "sequence_survives": _forgetting(lambda kept: setattr(kept, "seq", 0)),
    "incidents_survive": _forgetting(lambda kept: kept.handled.clear()),
    "budget_survives": _forgetting(lambda kept: kept.starts.clear()),
    "parameter_values": _any_value,
    "guard_hears_no_order": _hear_the_order,
    "facts_are_measured": _believe_facts,
    "own_tags_outrank": _believe_tags,
    "mark_stops_what_runs": _run_on,
    "rehearsal_does_not_act": _act_in_rehearsal,
    "deadline_is_bounded": _any_deadline,
    "approval_names_the_deed": _approvals,
    "approval_is_not_over": _approvals,
    "approval_is_for_a_day": _approvals,
    "approver_counts_once": _approvals,
    "approver_is_listed": _approvals,
    "passkey_page": _passkeys,
    "passkey_party": _passkeys,
    "passkey_person": _passkeys,
    "passkey_act": _passkeys,
    "passkey_answers_the_deed": _passkeys,
    "passkey_signature": _any_signature,
    "passkey_counts_once": _count_spellings,
    "approver_key_is_one_thing": _list_as_both,
    "approver_is_the_owner": _approvals,
    "person_counts_once": _approvals,
    "ssh_namespace": _ssh,
    "ssh_application": _ssh,
    "ssh_verified": _ssh,
    "ssh_signs_the_deed": _any_ssh_signature,
    "ssh_touch": _untouched,
    "ssh_signature_ends": _go_on_behind,
    "ssh_signature_size": _any_size,
    "stop_is_signed": _stops,
    "stop_names_the_agent": _stops,
    "stop_names_the_order": _stops,
    "stop_sequence_rises": _any_sequence,
}


def take_out(guards: set[str]) -> None:
    """Take guards out of this process. Raises KeyError for what is no guard."""
    named = {check.name for check in admission.TABLE}
    if unknown := guards - named - GUARDS.keys():
        raise KeyError(f"no guard is called {sorted(unknown)}")
    WITHOUT.update(guards)
    admission.TABLE = tuple(check for check in admission.TABLE if check.name not in guards)
    for change in {GUARDS[guard] for guard in guards - named}:
        change()


def obey(file: Path) -> None:
    """Let this process's clock be ahead by what a file says, whenever it is asked."""
    now, monotonic = clock.LocalClock.now, clock.LocalClock.monotonic

    def ahead(number: int) -> float:
        return float(file.read_text().split()[number])

    clock.LocalClock.now = lambda self: now(self) + timedelta(seconds=ahead(0))
    clock.LocalClock.monotonic = lambda self: monotonic(self) + ahead(1)


def main(directory: str, clock_file: str, guards: str) -> int:
    """Run the executor of a directory without these guards, by this clock."""
    take_out({guard for guard in guards.split(",") if guard})
    obey(Path(clock_file))
    return executor.main(Path(directory))
