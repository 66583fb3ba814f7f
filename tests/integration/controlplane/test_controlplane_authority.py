"""The authority of agents' certificates is followed by the next one, over real TLS 1.3."""

import shutil
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.agent import uplink
from sentienguard.controlplane import authority, evaluation, listeners, server_certificate
from sentienguard.controlplane.settings import Settings
from sentienguard.controlplane.tls_files import TlsFiles
from sentienguard.model.ids import AgentId
from sentienguard.trust import certificates, dsse

pytestmark = pytest.mark.integration
AGENT = AgentId("5d0b2c5e-8f2f-4f5e-9f5a-0c8c1f0f7a11")
LIVES = timedelta(days=90)
DAY = timedelta(days=1)  # that certificates last
FOLLOWS = authority.follows(DAY)
NOW = datetime.now(UTC) - 2 * FOLLOWS - timedelta(days=1)  # TLS goes by the real time afterwards
LONG = timedelta(days=300)


@pytest.fixture
def tls(tmp_path):
    """Make an installation whose authority was made 90 days ago."""
    place = tmp_path / "controlplane"
    evaluation.prepare(place, tmp_path / "offline", {}, now=NOW - LIVES)
    return place / "tls"


def files(tls):
    return sorted(one.name for one in tls.iterdir() if one.name.startswith("ca."))


def bytes_of(tls):
    return {one.name: one.read_bytes() for one in tls.iterdir()}


def keep(tls, at, *, alone=True):
    return authority.AuthorityFiles(tls).keep(LIVES, DAY, at, alone=alone)


class Host:
    """What a host holds: its key and certificate, and whom it trusts."""

    def __init__(self, tls, place, at):
        place.mkdir(exist_ok=True)
        self.place, self.request = place, certificates.make_request("db-1")
        found = authority.AuthorityFiles(tls).read()
        made = certificates.sign_agent(
            found.signing, self.request.csr_pem, AGENT, now=at, lifetime=LONG
        )
        (place / "tls.key").write_bytes(self.request.key_pem)
        (place / "tls.crt").write_bytes(made)
        (place / "ca.pem").write_bytes(found.trusted_pem)

    def context(self):
        return uplink.client_context(
            self.place / "ca.pem",
            certificate=self.place / "tls.crt",
            key=self.place / "tls.key",
        )

    def renew(self, tls, at):
        found = authority.AuthorityFiles(tls).read()
        der = certificates.to_der((self.place / "tls.crt").read_bytes())
        made = certificates.renew_agent(
            found.signing, der, now=at, lifetime=LONG, before=found.trusted
        )
        (self.place / "tls.crt").write_bytes(made)
        (self.place / "ca.pem").write_bytes(found.trusted_pem)


def listening(tls):
    trusted = authority.AuthorityFiles(tls).read().trusted_pem
    return listeners._context(TlsFiles(tls / "server.pem", tls / "server.key", trusted))


def met(context, host):
    """Let a host connect; return whose certificate the server saw, or why there was no link."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        seen = []

        def serve():
            link, _ = door.accept()
            with link:
                try:
                    with context.wrap_socket(link, server_side=True) as secure:
                        seen.append(secure.getpeercert(binary_form=True))
                        secure.recv(1)
                except OSError as problem:
                    seen.append(problem)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        try:
            with (
                socket.create_connection(door.getsockname(), timeout=20) as plain,
                host.context().wrap_socket(plain, server_hostname="127.0.0.1") as secure,
            ):
                secure.send(b"x")
        except ssl.SSLError as problem:
            return str(problem)
        finally:
            serving.join(20)
    return certificates.agent_of(seen[0]) if isinstance(seen[0], bytes) else str(seen[0])


def test_hosts_that_come_once_a_month_never_notice(tls, tmp_path):
    settings = Settings(embeddings="off")
    early = Host(tls, tmp_path / "early", NOW)
    first = authority.AuthorityFiles(tls).read().signing.certificate_pem
    assert keep(tls, NOW)
    assert files(tls) == ["ca.key", "ca.next.key", "ca.next.pem", "ca.pem"]
    assert met(listening(tls), early) == AGENT  # knows the old one alone, which signs still

    early.renew(tls, NOW + timedelta(days=1))
    assert (tmp_path / "early/ca.pem").read_bytes().count(b"BEGIN") == 2
    assert not keep(tls, NOW + FOLLOWS - timedelta(hours=1))
    assert keep(tls, NOW + FOLLOWS)
    assert files(tls) == ["ca.before.pem", "ca.key", "ca.pem"]
    assert server_certificate.keep(tls.parent, settings, NOW + FOLLOWS)
    found = authority.AuthorityFiles(tls).read()
    assert found.signing.certificate_pem != first
    served = certificates.to_der((tls / "server.pem").read_bytes())
    assert certificates.issued_by(served, found.signing.certificate_pem)
    assert met(listening(tls), early) == AGENT  # its certificate is of the one before

    early.renew(tls, NOW + FOLLOWS)
    own = certificates.to_der((tmp_path / "early/tls.crt").read_bytes())
    assert certificates.issued_by(own, found.signing.certificate_pem)
    assert keep(tls, NOW + 2 * FOLLOWS)
    # Its key was 90 days old long ago: the next one is made in the same look.
    assert files(tls) == ["ca.key", "ca.pem"]


def test_who_was_away_for_longer_than_a_host_may_be_is_not_believed(tls, tmp_path):
    away = Host(tls, tmp_path / "away", NOW)
    for at in (NOW, NOW + FOLLOWS, NOW + 2 * FOLLOWS):
        keep(tls, at)
        server_certificate.keep(tls.parent, Settings(embeddings="off"), at)
    assert "verify failed" in met(listening(tls), away)  # it cannot know the new one
    with pytest.raises(dsse.NotTrusted, match="not signed by our authority"):
        away.renew(tls, NOW + timedelta(days=1))


def test_a_certificate_of_an_authority_of_nobody_is_refused(tls, tmp_path):
    host = Host(tls, tmp_path / "host", NOW)
    stranger = certificates.make_authority("SentienGuard agents", now=NOW - LIVES)
    made = certificates.sign_agent(stranger, host.request.csr_pem, AGENT, now=NOW, lifetime=LONG)
    (tmp_path / "host/tls.crt").write_bytes(made)
    keep(tls, NOW)
    assert met(listening(tls), host) != AGENT
    with pytest.raises(dsse.NotTrusted, match="not signed by our authority"):
        host.renew(tls, NOW)


def test_a_step_that_was_cut_off_is_finished_by_the_next_look(tls, tmp_path):
    keep(tls, NOW)
    host = Host(tls, tmp_path / "host", NOW)
    for name in ("before written", "key moved"):
        place = tmp_path / name / "tls"
        shutil.copytree(tls, place)
        shutil.copy(place / "ca.pem", place / "ca.before.pem")
        if name == "key moved":
            (place / "ca.next.key").replace(place / "ca.key")
        assert keep(place, NOW + FOLLOWS)
        assert files(place) == ["ca.before.pem", "ca.key", "ca.pem"]
        found = authority.AuthorityFiles(place).read().signing
        assert certificates.pin_of_key(found.key_pem) == certificates.pin_of(found.certificate_pem)
        server_certificate.keep(place.parent, Settings(embeddings="off"), NOW + FOLLOWS)
        assert met(listening(place), host) == AGENT
    for name in ("made half", "key was not copied"):
        place = tmp_path / name / "tls"
        shutil.copytree(tls, place)
        (place / ("ca.next.pem" if name == "made half" else "ca.next.key")).unlink()
        before = (place / "ca.pem").read_bytes()
        keep(place, NOW + FOLLOWS)
        assert (place / "ca.pem").read_bytes() == before


def test_a_young_one_or_a_clock_that_was_set_back_changes_nothing(tls):
    standing = bytes_of(tls)
    for at in (NOW - timedelta(days=1), NOW - timedelta(days=800)):
        assert not keep(tls, at)
    assert bytes_of(tls) == standing


def test_where_others_have_the_files_people_make_the_next_one_and_all_follow_together(
    tls, tmp_path
):
    assert not keep(tls, NOW, alone=False)
    assert authority.AuthorityFiles(tls).make_next(NOW)
    assert not authority.AuthorityFiles(tls).make_next(NOW + timedelta(days=1))
    other = tmp_path / "other"
    shutil.copytree(tls, other)
    for at, changed in ((NOW + timedelta(days=5), False), (NOW + FOLLOWS, True)):
        assert (keep(tls, at, alone=False), keep(other, at, alone=False)) == (changed, changed)
    assert bytes_of(tls)["ca.pem"] == bytes_of(other)["ca.pem"]


def test_an_authority_is_followed_before_its_end_however_long_keys_may_live(tls):
    late = NOW - LIVES + certificates.AUTHORITY_LIFETIME - 3 * FOLLOWS
    files_here = authority.AuthorityFiles(tls)
    assert not files_here.keep(timedelta(days=3650), DAY, late - timedelta(days=1), alone=True)
    assert files_here.keep(timedelta(days=3650), DAY, late + timedelta(minutes=1), alone=True)
    assert files_here.keep(
        timedelta(days=3650), DAY, late + FOLLOWS + timedelta(minutes=1), alone=True
    )


def test_where_certificates_last_longer_the_next_one_waits_longer():
    assert authority.follows(timedelta(hours=24)) == timedelta(days=32)
    assert authority.follows(timedelta(days=397)) == timedelta(days=428)
