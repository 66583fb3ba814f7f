"""Roots that name OpenSSH keys, and approvals by them; tests/attacks has each attack on a host.

`ssh-keygen` itself makes and judges what it can here; hardware keys are in software, and it
verifies those too.
"""

import base64
import dataclasses
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.trust import bundle as bundles
from sentienguard.trust import canonical, ceremony, dsse, order, passkeys, root, webauthn
from sentienguard.trust.ssh_approvals import NAMESPACE, ApproverSshKey, envelope, opened
from sentienguard.trust.ssh_keys import SshKey as Public
from tests.support import execution, ssh_signer
from tests.support.authenticator import Passkey
from tests.support.ssh_signer import ED25519, KINDS, RSA, SK_ECDSA, SK_ED25519, UP, UV, SshKey

PARTY = webauthn.Party("guard.example.org", "https://guard.example.org")
NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
KIND = order.APPROVAL_TYPE
MESSAGE = b'{"a":1}'


@dataclasses.dataclass
class Named:
    name: str = "asking"
    version: str = "1.0.0"
    digest: str = "sha256:" + "0" * 64


def listed(key, **how):
    return ApproverSshKey(Public.from_text(key.line), **how)


def centre(*keys, people=None, approvers=0, answering=(), **how):
    """Return a centre whose root names these SSH keys, each of a person of its own."""
    made = execution.Centre(now=NOW, approvers=approvers)
    made.ssh_keys = [listed(one, **how) for one in keys]
    made.passkeys = list(answering)
    others = [*(one.id for one in made.approvers), *(one.id for one in answering)]
    ids = [*others, *(one.id for one in made.ssh_keys)]
    made.people = {keyid: f"person {number}" for number, keyid in enumerate(ids)}
    made.people.update(people or {})
    return made


def approved(signed, key, name, **how):
    payload = order.approval_payload(signed.order, name, LATER)
    return envelope(KIND, payload, key.sign(payload, **how))


def sent(made, signed, *approvals):
    whole = dataclasses.replace(signed, approvals=approvals)
    return order.open_order(order.seal_order(whole, made.dispatch), made.root())


def keygen(*words, **more):
    words = ["/usr/bin/ssh-keygen", *words]
    return subprocess.run(words, check=False, capture_output=True, timeout=20, **more)


# -- what OpenSSH says -----------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("-O", "hashalg=sha256")])
def test_a_yes_by_ssh_keygen_counts(tmp_path, options):
    path = tmp_path / "id"
    assert keygen("-t", "ed25519", "-N", "", "-q", "-C", "ann", "-f", str(path)).returncode == 0
    key = ApproverSshKey.from_text(path.with_suffix(".pub").read_text())
    words = ["-Y", "sign", "-f", str(path), "-n", NAMESPACE, *options]
    signature = keygen(*words, input=MESSAGE).stdout.decode()
    yes = opened(envelope(KIND, MESSAGE, signature), KIND, {key.id: key})
    assert (yes.payload, yes.signer, yes.verified) == (MESSAGE, key, False)
    assert keygen("-l", "-f", str(path)).stdout.decode().split()[1] == key.key.fingerprint
    assert yes.said == f"ssh {key.key.fingerprint}"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("kind", KINDS)
def test_openssh_and_we_judge_alike(tmp_path, kind, algorithm):
    """A key in software signs as hardware would; OpenSSH takes it, and so do we, or neither.

    In one thing we ask for more: `ssh-keygen -Y verify` takes what nobody touched the hardware for.
    """
    key = SshKey(kind, 31)
    (tmp_path / "allowed").write_text(f"ann {key.line}\n")
    right = key.sign(MESSAGE, algorithm=algorithm)
    flipped = ssh_signer.unwrapped(right)
    flipped[-10] ^= 1
    cases = {
        "right": (right, MESSAGE, True),
        "another message": (right, MESSAGE + b" ", False),
        "a bit changed": (ssh_signer.armour(bytes(flipped)), MESSAGE, False),
        "another namespace": (key.sign(MESSAGE, namespace="git"), MESSAGE, False),
        "another key": (SshKey(kind, 32).sign(MESSAGE), MESSAGE, False),
    }
    if kind != ED25519:
        cases["another application"] = (key.sign(MESSAGE, application="ssh:x"), MESSAGE, False)
        cases["nobody there"] = (key.sign(MESSAGE, flags=0), MESSAGE, False)
        cases["verified"] = (key.sign(MESSAGE, flags=UP | UV), MESSAGE, True)
    for name, (armoured, message, good) in cases.items():
        (tmp_path / "sig").write_text(armoured)
        words = ["-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "ann", "-n", NAMESPACE]
        theirs = keygen(*words, "-s", str(tmp_path / "sig"), input=message)
        assert (theirs.returncode == 0) is (good or name == "nobody there"), (name, theirs.stderr)
        assert takes(listed(key), message, armoured) is good, name


def takes(key, message, armoured):
    try:
        opened(envelope(KIND, message, armoured), KIND, {key.id: key})
    except dsse.NotTrusted:
        return False
    return True


def test_the_fingerprint_of_a_hardware_key_is_the_one_that_openssh_shows(tmp_path):
    for kind in (SK_ED25519, SK_ECDSA):
        key = SshKey(kind, 31)
        (tmp_path / "id.pub").write_text(f"{key.line} ann\n")
        shown = keygen("-l", "-f", str(tmp_path / "id.pub")).stdout.decode()
        assert listed(key).key.fingerprint in shown


# -- what is refused -------------------------------------------------------------------------------

HARD, EC = SshKey(SK_ED25519, 41), SshKey(SK_ECDSA, 42)
FILE = SshKey(ED25519, 43)
CUT = ssh_signer.unwrapped(HARD.sign(MESSAGE))
REFUSED = [
    ("a playbook's signature", FILE.sign(MESSAGE, namespace="sentienguard.playbook"), "rule 3"),
    ("a release's signature", FILE.sign(MESSAGE, namespace="sentienguard.release"), "rule 3"),
    ("a commit's signature", FILE.sign(MESSAGE, namespace="git"), "rule 3"),
    ("a namespace that begins the same", FILE.sign(MESSAGE, namespace=f"{NAMESPACE}2"), "rule 3"),
    ("another hash", FILE.sign(MESSAGE, algorithm="sha384"), "rule 2"),
    ("of another payload", FILE.sign(MESSAGE + b"\n"), "rule 4"),
    ("a stranger", SshKey(ED25519, 44).sign(MESSAGE), "rule 3"),
    ("a stranger in our name", SshKey(ED25519, 44).sign(MESSAGE, blob=FILE.blob), "rule 4"),
    ("an RSA key", SshKey(RSA, 0).sign(MESSAGE), "rule 3"),
    ("hardware as a file key", HARD.sign(MESSAGE, kind=ED25519), "rule 3"),
    ("a browser's kind", EC.sign(MESSAGE, kind=f"webauthn-{SK_ECDSA}"), "rule 3"),
    ("nobody there", HARD.sign(MESSAGE, flags=0), "rule 5"),
    ("verified and nobody there", HARD.sign(MESSAGE, flags=UV), "rule 5"),
    ("nobody there, P-256", EC.sign(MESSAGE, flags=0), "rule 5"),
    ("another application", HARD.sign(MESSAGE, application="ssh:other"), "rule 4"),
    ("a web site's answer", EC.sign(MESSAGE, application="guard.example.org"), "rule 4"),
    ("a key of another application",
     dataclasses.replace(HARD, application="ssh:other").sign(MESSAGE), "rule 3"),
    ("cut short", ssh_signer.armour(bytes(CUT[:-3])), "rule 1"),
    ("a byte behind", ssh_signer.armour(bytes(CUT) + b"x"), "rule 1"),
    ("oversized", FILE.sign(MESSAGE, namespace="n" * 9_000), "rule 1"),
    ("no armour", "yes", "rule 1"),
    ("two of them", FILE.sign(MESSAGE) * 2, "rule 1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("armoured", "rule"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED]
)
def test_everything_else_is_refused_by_its_rule(armoured, rule):
    trusted = {one.id: one for one in (listed(HARD), listed(EC), listed(FILE))}
    with pytest.raises(dsse.NotTrusted, match=rule):
        opened(envelope(KIND, MESSAGE, armoured), KIND, trusted)


@pytest.mark.parametrize(
    "change",
    [{"more": 1}, {"ssh": 1}, {"ssh": None}, {"payload": 1}, {"payload": "*"}, {"payload": "é"},
     {"payload": "A" * 2_000_000}, {"payloadType": order.ORDER_TYPE}, {"payloadType": []},
     {"signatures": []}],
)  # fmt: skip
def test_an_envelope_of_another_form_is_refused_and_breaks_nothing(change):
    right = envelope(KIND, MESSAGE, FILE.sign(MESSAGE))
    key = listed(FILE)
    assert opened(right, KIND, {key.id: key})
    with pytest.raises(dsse.NotTrusted):
        opened({**right, **change}, KIND, {key.id: key})


@given(st.sampled_from([HARD, EC, FILE]), st.integers(0, 10**6), st.integers(1, 255))
def test_no_byte_of_a_signature_can_change(key, at, change):
    blob = ssh_signer.unwrapped(key.sign(MESSAGE))
    blob[at % len(blob)] ^= change
    assert not takes(listed(key), MESSAGE, ssh_signer.armour(bytes(blob)))


@given(st.sampled_from(KINDS), st.binary(max_size=120))
def test_whatever_stands_in_a_signature_is_refused_and_breaks_nothing(kind, junk):
    key = Public.from_text(SshKey(kind, 31).line)
    for signature in (junk, ssh_signer.string(kind.encode()) + junk):
        with pytest.raises(dsse.NotTrusted):
            key.verify(signature, MESSAGE)


@pytest.mark.parametrize(
    ("r", "s"), [(b"\0\0\1", b"\1"), (b"\x80", b"\1"), (b"", b"\1"), (b"\1" * 34, b"\1")]
)
def test_a_number_has_one_spelling(r, s):
    key = Public.from_text(EC.line)
    pair = ssh_signer.string(r) + ssh_signer.string(s)
    signature = ssh_signer.string(SK_ECDSA.encode()) + ssh_signer.string(pair) + b"\1\0\0\0\7"
    with pytest.raises(dsse.NotTrusted, match="a number"):
        key.verify(signature, MESSAGE)


# -- keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_comes_back_from_its_line(kind):
    key = SshKey(kind, 31)
    read = ApproverSshKey.from_text(f"{key.line} ann@desk, the blue one\n")
    assert (read.text, read.key.blob) == (key.line, key.blob)
    assert ApproverSshKey.from_text(read.text) == read


def test_verify_required_is_for_hardware():
    read = ApproverSshKey.from_text(f"verify-required {HARD.line}")
    assert (read.verify_required, read.text) == (True, f"verify-required {HARD.line}")
    with pytest.raises(dsse.NotTrusted, match="is none"):
        ApproverSshKey.from_text(f"verify-required {FILE.line}")


def test_who_has_to_show_who_they_are_shows_it():
    key = listed(HARD, verify_required=True)
    with pytest.raises(dsse.NotTrusted, match="rule 5"):
        opened(envelope(KIND, MESSAGE, HARD.sign(MESSAGE)), KIND, {key.id: key})
    yes = opened(envelope(KIND, MESSAGE, HARD.sign(MESSAGE, flags=UP | UV)), KIND, {key.id: key})
    assert yes.verified
    assert yes.said == f"ssh hardware {key.key.fingerprint}, touched and verified"


PLAIN_EC = base64.b64encode(ssh_signer.string(b"ecdsa-sha2-nistp256")).decode()
OFF_CURVE = b"".join(
    ssh_signer.string(one)
    for one in (SK_ECDSA.encode(), b"nistp256", b"\x04" + bytes(63) + b"\1", b"ssh:")
)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (SshKey(RSA, 0).line, "expected ssh-ed25519"),
        ("ssh-dss AAAAB3NzaC1kc3M=", "expected ssh-ed25519"),
        (f"ecdsa-sha2-nistp256 {PLAIN_EC}", "expected ssh-ed25519"),
        (f"ssh-ed25519-cert-v01@openssh.com {FILE.line.split()[1]}", "calls itself"),
        (f"ssh-rsa {FILE.line.split()[1]}", "calls itself"),
        (dataclasses.replace(HARD, application="example.org").line, "application"),
        (dataclasses.replace(HARD, application="ssh:\n").line, "application"),
        (dataclasses.replace(HARD, application="ssh:" + "a" * 300).line, "application"),
        (f"{SK_ECDSA} {base64.b64encode(OFF_CURVE).decode()}", "does not lie on"),
        (FILE.line[:-4] + "AAAAAAAA", "goes on"),
        ("ssh-ed25519", "one line"),
        ("", "one line"),
        ("ssh-ed25519 *", "no base64"),
        ("ssh-ed25519 " + "A" * 5_000, "one line"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "no base64"),
    ],
)  # fmt: skip
def test_what_is_no_key_that_approves_is_refused(line, says):
    with pytest.raises(dsse.NotTrusted, match=says):
        ApproverSshKey.from_text(line)


def test_a_key_has_one_id_whatever_it_is_listed_as():
    raw = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([20]) * 32)
    assert listed(SshKey(ED25519, 20)).id == execution.key(20).id
    assert listed(SshKey(SK_ED25519, 20)).id == execution.key(20).id
    person = Passkey(PARTY.id, PARTY.origin, key=raw)
    assert passkeys.ApproverKey(person.public_key(), PARTY).id == execution.key(20).id
    point = Passkey(PARTY.id, PARTY.origin, key=ec.derive_private_key(42, ec.SECP256R1()))
    assert passkeys.ApproverKey(point.public_key(), PARTY).id == listed(EC).id


# -- roots -----------------------------------------------------------------------------------------


def test_a_root_without_ssh_keys_and_people_has_the_bytes_that_it_always_had():
    made = execution.Centre(now=NOW, approvers=2)
    payload = canonical.decode(base64.b64decode(made.root_envelope()["payload"]))
    assert set(payload) == {"v", "version", "expires_ms", "keys", "roles", "log_origin"}


def test_a_root_says_of_every_approvers_key_whose_it_is():
    made = centre(HARD, approvers=1)
    made.people.pop(made.approvers[0].id)
    with pytest.raises(dsse.NotTrusted, match=f"rule 11.*{made.approvers[0].id}.*--person"):
        made.root_envelope()
    made.people.clear()
    with pytest.raises(dsse.NotTrusted, match="rule 11"):
        made.root_envelope()
    with pytest.raises(dsse.NotTrusted, match="no approver's keys"):
        centre(HARD, people={"0" * 16: "ann"}).root_envelope()
    for wrong in ("", " ann", "ann\n", "a" * 201, 1):
        with pytest.raises(dsse.NotTrusted, match="no name of an account"):
            centre(HARD, people={listed(HARD).id: wrong}).root_envelope()


def test_a_threshold_is_of_people():
    with pytest.raises(dsse.NotTrusted, match="rule 5: 2 people"):
        centre(HARD, FILE, people={listed(HARD).id: "ann", listed(FILE).id: "Ann"}).root_envelope()
    assert centre(HARD, FILE).root().approving_ssh_keys.keys() == {listed(HARD).id, listed(FILE).id}


def test_one_key_is_not_listed_as_two_things():
    with pytest.raises(dsse.NotTrusted, match="rule 8"):
        centre(SshKey(ED25519, 20), approvers=1).root_envelope()
    raw = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([41]) * 32)
    person = Passkey(PARTY.id, PARTY.origin, key=raw)
    with pytest.raises(dsse.NotTrusted, match="rule 8"):
        centre(HARD, answering=[passkeys.ApproverKey(person.public_key(), PARTY)]).root_envelope()


@pytest.mark.parametrize(
    "change",
    [lambda text: f"{text} a comment", lambda text: f" {text}", lambda text: SshKey(RSA, 0).line,
     lambda text: FILE.line, lambda text: 1, lambda text: f"no-touch-required {text}"],
)  # fmt: skip
def test_a_key_of_another_form_spoils_the_root(change):
    made = centre(HARD)
    payload = canonical.decode(base64.b64decode(made.root_envelope()["payload"]))
    ((keyid, text),) = payload["ssh_keys"].items()
    payload["ssh_keys"] = {keyid: change(text)}
    sealed = dsse.seal(root.PAYLOAD_TYPE, canonical.encode(payload), [made.root_key])
    with pytest.raises(dsse.NotTrusted):
        root.claimed(sealed)


def test_an_ssh_key_signs_nothing_but_approvals():
    made = centre(FILE)
    assert made.root().trusted(root.RoleName.APPROVER) == {}
    payload = canonical.decode(base64.b64decode(made.root_envelope()["payload"]))
    for role in ("root", "signer", "dispatch", "log"):
        changed = {**payload, "roles": {**payload["roles"], role: {
            "keyids": [listed(FILE).id], "threshold": 1}}}  # fmt: skip
        sealed = dsse.seal(root.PAYLOAD_TYPE, canonical.encode(changed), [made.root_key])
        with pytest.raises(dsse.NotTrusted, match="unlisted"):
            root.claimed(sealed)


def test_a_ceremony_adds_keeps_and_removes_ssh_keys():
    made = centre(HARD)
    start = bundles.Bundle(roots=(made.root_envelope(),))
    unnamed = ceremony.Change(LATER, ssh_keys=(listed(FILE),))
    with pytest.raises(dsse.NotTrusted, match="rule 11"):
        ceremony.rotate(start, unnamed)
    named = dataclasses.replace(unnamed, people={listed(FILE).id: "bob"})
    added = ceremony.rotate(start, named)
    assert added.last.people == {listed(HARD).id: "person 0", listed(FILE).id: "bob"}
    signed, _ = bundles.sign(added, made.root_key)
    kept = ceremony.rotate(signed, ceremony.Change(LATER)).last
    assert (kept.ssh_keys, kept.people) == (added.last.ssh_keys, added.last.people)
    gone = ((root.RoleName.APPROVER, listed(HARD).id),)
    removed = ceremony.rotate(signed, ceremony.Change(LATER, remove=gone)).last
    assert (set(removed.ssh_keys), removed.people) == ({listed(FILE).id}, {listed(FILE).id: "bob"})


# -- approvals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_key_approves(kind):
    key = SshKey(kind, 31)
    made = centre(key, people={listed(key).id: "ann"})
    signed = made.order(Named(), nonce="ab" * 16)
    found = sent(made, signed, approved(signed, key, "ann"))
    assert order.approved_by(found, made.root(), NOW) == {listed(key).id: "ann"}


def test_ssh_key_passkey_and_key_file_approve_together():
    person = Passkey(PARTY.id, PARTY.origin)
    answering = passkeys.ApproverKey(person.public_key(), PARTY)
    made = centre(HARD, approvers=1, answering=[answering])
    signed = made.order(Named(), nonce="ab" * 16)
    (file_id, passkey_id, ssh_id) = made.people
    payload = order.approval_payload(signed.order, "person 1", LATER)
    touch = person.answer(passkeys.challenge(KIND, payload))
    approvals = (
        approved(signed, HARD, "person 2"),
        order.seal_approval(signed.order, "person 0", made.approvers[0], expires_at=LATER),
        passkeys.envelope(KIND, payload, answering.id, touch),
    )
    found = order.approved_by(sent(made, signed, *approvals), made.root(), NOW)
    assert found == {ssh_id: "person 2", file_id: "person 0", passkey_id: "person 1"}


def test_a_key_approves_in_the_name_of_its_owner_alone():
    made = centre(HARD, FILE, people={listed(HARD).id: "Ann@local", listed(FILE).id: "bob@local"})
    signed = made.order(Named(), nonce="ab" * 16)
    for another in ("bob@local", "aaron@local"):  # on either side of hers in the alphabet
        wrong = sent(made, signed, approved(signed, HARD, another))
        assert order.approved_by(wrong, made.root(), NOW) == {}
    right = sent(made, signed, approved(signed, HARD, "ann@local"))
    assert order.approved_by(right, made.root(), NOW) == {listed(HARD).id: "ann@local"}


def test_one_person_with_two_keys_counts_once():
    people = {listed(HARD).id: "ann", listed(FILE).id: "ANN", listed(EC).id: "bob"}
    made = centre(HARD, FILE, EC, people=people)
    signed = made.order(Named(), nonce="ab" * 16)
    twice = (approved(signed, HARD, "ann"), approved(signed, FILE, "Ann"))
    with pytest.raises(dsse.NotTrusted, match="1 are valid"):
        order.require_approvals(sent(made, signed, *twice), made.root(), NOW)
    both = sent(made, signed, *twice, approved(signed, EC, "bob"))
    assert order.require_approvals(both, made.root(), NOW) == {
        listed(HARD).id: "ann", listed(EC).id: "bob"
    }  # fmt: skip


def test_one_key_file_signature_under_two_names_counts_for_its_owner():
    """A key file and a passkey that a root says are one person's are one yes too."""
    made = execution.Centre(now=NOW, approvers=3)
    ids = [one.id for one in made.approvers]
    made.people = dict(zip(ids, ["ann", "ann", "bob"], strict=True))
    signed = made.order(Named(), nonce="ab" * 16)
    seal = [order.seal_approval(signed.order, name, key, expires_at=LATER)
            for key, name in zip(made.approvers, ["ann", "ann", "bob"], strict=True)]  # fmt: skip
    with pytest.raises(dsse.NotTrusted, match="1 are valid"):
        order.require_approvals(sent(made, signed, *seal[:2]), made.root(), NOW)
    assert len(order.require_approvals(sent(made, signed, *seal), made.root(), NOW)) == 2


def test_a_root_without_ssh_keys_takes_no_such_envelope():
    made = execution.Centre(now=NOW, approvers=1)
    signed = made.order(Named(), nonce="ab" * 16)
    found = sent(made, signed, approved(signed, SshKey(ED25519, 20), "ann"))
    assert order.approved_by(found, made.root(), NOW) == {}


def test_a_signature_of_the_right_key_for_the_wrong_order_counts_for_nothing():
    made = centre(HARD, people={listed(HARD).id: "ann"})
    signed = made.order(Named(), nonce="ab" * 16)
    for change in ({"parameters": {"mount": "/"}}, {"digest": "sha256:" + "1" * 64},
                   {"environment": "production"}, {"dry_run": True}):  # fmt: skip
        other = dataclasses.replace(signed, order=dataclasses.replace(signed.order, **change))
        found = sent(made, signed, approved(other, HARD, "ann"))
        assert order.approved_by(found, made.root(), NOW) == {}, change
