"""Checkpoints dated by an authority that `openssl ts` runs, and what is no date."""

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from sentienguard.adapters.audit_anchors import receipts, time_stamp
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.ports import anchor
from sentienguard.trust import timestamp
from tests.support import time_stamp_authority

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl"),
]
NOTE = "log.example\n7\nAAAA\n\nsignatures\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return time_stamp_authority.Authority(tmp_path_factory.mktemp("tsa") / "one")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return time_stamp_authority.Authority(tmp_path_factory.mktemp("tsa") / "other")


@pytest.fixture(autouse=True)
def honest(authority):
    authority.answers = None


@pytest.fixture
def place(authority):
    with time_stamp_authority.served(authority) as url:
        yield anchored(url, authority.ca)


def anchored(url, ca):
    way = GuardedClient([Allowed.of(url, private=True)])
    return time_stamp.TimeStampAnchor("tsa", url, [ca], way, os.urandom)


def test_a_checkpoint_is_dated_and_anybody_can_check_it_with_openssl(place, authority, tmp_path):
    receipt = place.keep(NOTE, 7, datetime.now(UTC))
    assert abs(receipt.at - datetime.now(UTC)) < timedelta(minutes=1)
    kept = receipts.Receipts(tmp_path / "anchors")
    kept.keep(receipt)
    assert kept.newest()["tsa"] == receipt
    assert "Test TSA" in place.check(receipt)
    stem = tmp_path / "anchors" / f"{7:020d}-tsa"
    done = subprocess.run(
        [
            *("openssl", "ts", "-verify", "-data", f"{stem}.checkpoint", "-in", f"{stem}.tsr"),
            *("-CAfile", authority.home / "ca.pem"),
        ],
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("variety", [{"key": "rsa"}, {"ess": "sha1"}, {"ess": "sha512"}])
def test_authorities_of_other_makes_are_understood(tmp_path, variety):
    made = time_stamp_authority.Authority(tmp_path / "made", **variety)
    data = NOTE.encode()
    stamp = timestamp.verify(made.reply(timestamp.request(data, 5)), data, [made.ca], nonce=5)
    assert stamp.serial > 0


def test_other_bytes_than_the_stamped_are_refused(place):
    receipt = place.keep(NOTE, 7, datetime.now(UTC))
    changed = anchor.Receipt(
        "tsa", "rfc3161", 7, receipt.at, NOTE.replace("7", "8"), {}, receipt.proof
    )
    with pytest.raises(anchor.AnchorWrong, match="other bytes"):
        place.check(changed)


def test_an_old_answer_to_another_request_is_refused(place, authority):
    old = authority.reply(timestamp.request(NOTE.encode(), 1))
    authority.answers = lambda _: old
    with pytest.raises(anchor.AnchorRefused, match="nonce"):
        place.keep(NOTE, 7, datetime.now(UTC))


def test_an_authority_that_nobody_trusts_is_refused(authority, other):
    data = NOTE.encode()
    token = other.reply(timestamp.request(data, 3))
    with pytest.raises(timestamp.NotStamped, match="nobody trusted"):
        timestamp.verify(token, data, [authority.ca])


@pytest.mark.parametrize("usage", ["serverAuth", "timeStamping,serverAuth"])
def test_a_certificate_for_something_else_does_not_date(tmp_path, usage):
    """`openssl ts` signs with none of these, so the rule is asked by itself."""
    made = time_stamp_authority.Authority(tmp_path / "made", usage=usage)
    with pytest.raises(subprocess.CalledProcessError):
        made.reply(timestamp.request(b"x", 1))
    certificate = x509.load_pem_x509_certificate((made.home / "tsa.pem").read_bytes())
    with pytest.raises(timestamp.NotStamped, match="time stamping alone"):
        timestamp._may_stamp(certificate, datetime.now(UTC))


def test_a_stamp_from_before_or_after_the_certificate_is_refused(authority):
    certificate = x509.load_pem_x509_certificate((authority.home / "tsa.pem").read_bytes())
    for days in (-2, 40):
        with pytest.raises(timestamp.NotStamped, match="was not valid"):
            timestamp._may_stamp(certificate, datetime.now(UTC) + timedelta(days=days))


def test_a_refusal_of_the_authority_is_told(place, authority):
    authority.answers = lambda _: bytes.fromhex("30053003020102")
    with pytest.raises(anchor.AnchorRefused, match="status 2"):
        place.keep(NOTE, 7, datetime.now(UTC))


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # of a bent certificate
@pytest.mark.parametrize("bit", [0x01, 0x02, 0x20, 0x80])
def test_no_changed_byte_of_a_token_is_believed_to_say_something_else(authority, bit):
    """Each byte in turn: refused, or outside of all that is read and signed."""
    data = NOTE.encode()
    token = authority.reply(timestamp.request(data, 3))
    good = timestamp.verify(token, data, [authority.ca], nonce=3)
    accepted = 0
    for at in range(len(token)):
        bent = token[:at] + bytes((token[at] ^ bit,)) + token[at + 1 :]
        try:
            found = timestamp.verify(bent, data, [authority.ca], nonce=3)
        except timestamp.NotStamped:
            continue
        assert found == good
        accepted += 1
    assert accepted < len(token) // 2


def test_a_cut_token_is_refused_at_every_length(authority):
    data = NOTE.encode()
    token = authority.reply(timestamp.request(data, 3))
    for size in range(0, len(token), 7):
        with pytest.raises(timestamp.NotStamped):
            timestamp.verify(token[:size], data, [authority.ca])


def test_an_authority_that_is_away_is_asked_again_later(authority):
    with pytest.raises(anchor.AnchorAway):
        anchored("http://127.0.0.1:9/tsr", authority.ca).keep(NOTE, 7, datetime.now(UTC))
