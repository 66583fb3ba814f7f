"""SSH signatures: OpenSSH reads ours, we read OpenSSH's, and everything else is refused."""

import base64
import subprocess
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.trust import dsse, keys, sshsig

NAME = sshsig.PLAYBOOK
MESSAGE = b"name: mend\nversion: 1.0.0\n"
KEY = keys.SigningKey.from_seed(b"a" * 32)
OTHER = keys.SigningKey.from_seed(b"b" * 32)
SIGNERS = [sshsig.Signer(("pat",), KEY.public)]


def keygen(*words, **more):
    words = ["/usr/bin/ssh-keygen", *words]
    return subprocess.run(words, check=False, capture_output=True, timeout=20, **more)


@pytest.fixture
def theirs(tmp_path):
    """Return a key that ssh-keygen made, and its public line."""
    path = tmp_path / "id"
    assert keygen("-t", "ed25519", "-N", "", "-q", "-C", "pat", "-f", str(path)).returncode == 0
    return path, path.with_suffix(".pub").read_text()


def test_openssh_verifies_what_we_sign(tmp_path, theirs):
    path, public = theirs
    signature = sshsig.sign(MESSAGE, sshsig.private_key(path.read_bytes()), namespace=NAME)
    (tmp_path / "sig").write_text(signature)
    (tmp_path / "allowed").write_text(f'pat namespaces="{NAME}" {public}')
    words = ["-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "pat", "-n", NAME]
    good = keygen(*words, "-s", str(tmp_path / "sig"), input=MESSAGE)
    assert good.returncode == 0, good.stderr
    bad = keygen(*words, "-s", str(tmp_path / "sig"), input=MESSAGE + b" ")
    assert bad.returncode != 0


@pytest.mark.parametrize("options", [(), ("-O", "hashalg=sha256")])
def test_we_verify_what_openssh_signs(tmp_path, theirs, options):
    path, public = theirs
    file = tmp_path / "playbook.yaml"
    file.write_bytes(MESSAGE)
    done = keygen("-Y", "sign", "-f", str(path), "-n", NAME, *options, str(file))
    assert done.returncode == 0, done.stderr
    armoured = file.with_name("playbook.yaml.sig").read_text()
    allowed = sshsig.allowed_signers(f"pat {public}", namespace=NAME)
    assert sshsig.verify(MESSAGE, armoured, allowed, namespace=NAME).principals == ("pat",)
    with pytest.raises(dsse.NotTrusted, match="rule 5"):
        sshsig.verify(MESSAGE + b" ", armoured, allowed, namespace=NAME)


def test_the_fingerprint_is_the_one_that_openssh_shows(theirs):
    path, public = theirs
    (signer,) = sshsig.allowed_signers(public, namespace=NAME)
    shown = keygen("-l", "-f", str(path.with_suffix(".pub"))).stdout.decode()
    assert sshsig.fingerprint(signer.key) in shown
    assert sshsig.public_line(signer.key) in public


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-t", "rsa", "-N", ""], "expected an Ed25519 key"),
        (["-t", "ed25519", "-N", "a long passphrase"], "ssh-keygen -Y sign"),
    ],
)
def test_other_keys_are_refused_with_the_way_out(tmp_path, words, message):
    path = tmp_path / "id"
    assert keygen(*words, "-q", "-f", str(path)).returncode == 0
    with pytest.raises(keys.BadKey, match=message):
        sshsig.private_key(path.read_bytes())


def test_a_key_in_pkcs8_signs_too():
    assert sshsig.private_key(KEY.to_pem()).public == KEY.public
    with pytest.raises(keys.BadKey):
        sshsig.private_key(b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n")


def signed(**changes):
    return sshsig.sign(
        changes.get("message", MESSAGE),
        changes.get("key", KEY),
        namespace=changes.get("namespace", NAME),
    )


def unwrapped(armoured):
    return bytearray(base64.b64decode("".join(armoured.split("\n")[1:-2])))


def wrapped(blob):
    text = base64.b64encode(bytes(blob)).decode()
    return f"{sshsig._BEGIN}\n{text}\n{sshsig._END}\n"


def test_what_we_sign_we_verify():
    assert sshsig.verify(MESSAGE, signed(), SIGNERS, namespace=NAME) == SIGNERS[0]


REFUSED = [
    ("another namespace", signed(namespace="file"), MESSAGE, "rule 3"),
    ("a namespace that begins the same", signed(namespace=f"{NAME}.x"), MESSAGE, "rule 3"),
    ("another key", signed(key=OTHER), MESSAGE, "rule 4"),
    ("one byte changed", signed(), MESSAGE.replace(b"1", b"2", 1), "rule 5"),
    ("the signature of another file", signed(message=b"x"), MESSAGE, "rule 5"),
    ("no armour", "U1NIU0lH", MESSAGE, "rule 1"),
    ("something before", f"x\n{signed()}", MESSAGE, "rule 1"),
    ("something behind", f"{signed()}x\n", MESSAGE, "rule 1"),
    ("a byte behind the blob", wrapped(unwrapped(signed()) + b"x"), MESSAGE, "rule 1"),
    ("cut short", wrapped(unwrapped(signed())[:-1]), MESSAGE, "rule 1"),
    ("base64 with bits left over", signed().replace("E=\n", "F=\n"), MESSAGE, "rule 1"),
    ("another version", wrapped(unwrapped(signed()).replace(b"SSHSIG\0\0\0\1", b"SSHSIG\0\0\0\2")),
     MESSAGE, "rule 2"),
    ("another hash", wrapped(unwrapped(signed()).replace(b"sha512", b"sha384")), MESSAGE,
     "rule 2"),
    ("a longer one", "\n".join([sshsig._BEGIN, "A" * 9_000, sshsig._END]), MESSAGE, "rule 1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("armoured", "message", "rule"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED]
)
def test_everything_else_is_refused_by_its_rule(armoured, message, rule):
    with pytest.raises(dsse.NotTrusted, match=rule):
        sshsig.verify(message, armoured, SIGNERS, namespace=NAME)


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_no_byte_of_a_signature_can_change(at, change):
    blob = unwrapped(signed())
    blob[at % len(blob)] ^= change
    with pytest.raises(dsse.NotTrusted):
        sshsig.verify(MESSAGE, wrapped(blob), SIGNERS, namespace=NAME)


@given(st.binary(max_size=200))
def test_whatever_stands_in_the_armour_is_refused_and_breaks_nothing(blob):
    with pytest.raises(dsse.NotTrusted):
        sshsig.verify(MESSAGE, wrapped(blob), SIGNERS, namespace=NAME)


LINE = sshsig.public_line(KEY.public)


@pytest.mark.parametrize(
    ("text", "principals"),
    [
        (LINE, ()),
        (f"{LINE} a comment", ()),
        (f"pat,kim@example.org {LINE}", ("pat", "kim@example.org")),
        (f'pat namespaces="git,{NAME}" {LINE}', ("pat",)),
        (f"# people\n\nold ssh-rsa AAAA\npat {LINE}", ("pat",)),
        (f'git namespaces="git" {LINE}\npat {LINE}', ("pat",)),
    ],
)
def test_allowed_signers_are_read_as_openssh_writes_them(text, principals):
    (signer,) = sshsig.allowed_signers(text, namespace=NAME)
    assert (signer.principals, signer.key) == (principals, KEY.public)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no Ed25519 key is named"),
        ("pat ssh-rsa AAAA", "no Ed25519 key is named"),
        (f'pat namespaces="git" {LINE}', "no Ed25519 key is named"),
        (f"*@example.org cert-authority {LINE}", "cert-authority' is not looked at"),
        (f'pat valid-before="20200101" {LINE}', "rule 6: line 1: expected a moment of UTC"),
        (f'pat valid-before="20201301Z" {LINE}', "rule 6: line 1: 20201301Z is no day"),
        (f'pat valid-before="" {LINE}', "rule 6"),
        (f'pat valid-before="2020Z" {LINE}', "rule 6"),
        (f'pat valid-sometime="20300101Z" {LINE}', "is not looked at"),
        ("pat ssh-ed25519 AAAA!", "no base64"),
        ("pat ssh-ed25519", "rule 1"),
        ("x" * 300_000, "at most"),
    ],
)
def test_signers_that_cannot_be_told_for_certain_are_refused(text, message):
    with pytest.raises(dsse.NotTrusted, match=message):
        sshsig.allowed_signers(text, namespace=NAME)


DAY = datetime(2027, 1, 31, tzinfo=UTC)
LIMITED = f'pat namespaces="{NAME}",valid-after="20270101Z",valid-before="202701312359Z" {LINE}'


@pytest.mark.parametrize(
    ("at", "counts"),
    [
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), False),
        (datetime(2027, 1, 1, tzinfo=UTC), True),
        (datetime(2027, 1, 31, 23, 59, tzinfo=UTC), True),
        (datetime(2027, 1, 31, 23, 59, 1, tzinfo=UTC), False),
        (None, False),
    ],
)
def test_a_key_that_is_named_for_a_while_counts_within_it_as_openssh_says(tmp_path, at, counts):
    signers = sshsig.allowed_signers(LIMITED, namespace=NAME)
    if counts:
        assert sshsig.verify(MESSAGE, signed(), signers, namespace=NAME, at=at) == signers[0]
    else:
        with pytest.raises(dsse.NotTrusted, match="rule 6"):
            sshsig.verify(MESSAGE, signed(), signers, namespace=NAME, at=at)
    if at is not None:
        (tmp_path / "sig").write_text(signed())
        (tmp_path / "allowed").write_text(f"{LIMITED}\n")
        words = ["-Y", "verify", "-f", tmp_path / "allowed", "-I", "pat", "-n", NAME]
        words += ["-s", tmp_path / "sig", "-O", f"verify-time={at:%Y%m%d%H%M%S}Z"]
        assert (keygen(*words, input=MESSAGE).returncode == 0) == counts


def test_a_key_that_stands_there_twice_counts_by_either_line():
    text = f'pat valid-before="20200101Z" {LINE}\npat valid-after="20260101Z" {LINE}'
    signers = sshsig.allowed_signers(text, namespace=NAME)
    assert sshsig.verify(MESSAGE, signed(), signers, namespace=NAME, at=DAY) == signers[1]


def test_a_revoked_key_counts_never_here_and_at_openssh(tmp_path):
    other = sshsig.public_line(OTHER.public)
    text = f"# gone\n{other} comment\nssh-rsa AAAA\n{LINE}\n"
    revoked = sshsig.revoked_keys(text)
    assert revoked == (OTHER.public, KEY.public)
    with pytest.raises(dsse.NotTrusted, match="rule 7"):
        sshsig.verify(MESSAGE, signed(), SIGNERS, namespace=NAME, revoked=revoked)
    assert sshsig.verify(MESSAGE, signed(), SIGNERS, namespace=NAME, revoked=revoked[:1])
    (tmp_path / "sig").write_text(signed())
    (tmp_path / "allowed").write_text(f"pat {LINE}\n")
    (tmp_path / "revoked").write_text(f"{other}\n{LINE}\n")
    words = ["-Y", "verify", "-f", tmp_path / "allowed", "-I", "pat", "-n", NAME]
    words += ["-s", tmp_path / "sig"]
    assert keygen(*words, input=MESSAGE).returncode == 0
    assert keygen(*words, "-r", tmp_path / "revoked", input=MESSAGE).returncode != 0


@pytest.mark.parametrize("text", ["pat ssh-ed25519 AAAA", "SSHKRL\n\0", "ssh-ed25519 AAA!", "x"])
def test_a_revoked_line_that_cannot_be_read_is_refused_and_not_passed_over(text):
    with pytest.raises(dsse.NotTrusted, match=r"rule [127]"):
        sshsig.revoked_keys(text)
