"""Whoever answers and is not our control plane gets no byte of a request. Real TLS on loopback."""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sentienguard.agent import server_pins, uplink
from sentienguard.trust import certificates
from tests.support import agent_centre

pytestmark = pytest.mark.integration


class Listening:
    """A TLS server that keeps every application byte that it is sent."""

    def __init__(self, context):
        self.received = b""
        self.handshakes = 0
        self.done = threading.Event()
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _serve(self):
        connection, _ = self._listener.accept()
        connection.settimeout(5)
        try:
            with self._context.wrap_socket(connection, server_side=True) as tls:
                self.handshakes += 1
                while part := tls.recv(65536):
                    self.received += part
        except OSError:
            pass
        finally:
            self.done.set()


@contextlib.contextmanager
def linked(trust, port, tmp_path, *, pins=None, host="127.0.0.1", ca=True):
    (tmp_path / "ca.pem").write_bytes(trust.authority.certificate_pem)
    context = uplink.client_context(tmp_path / "ca.pem" if ca else None)
    link = uplink.Uplink(uplink.Address(host, port, pins or (trust.pin,)), context)
    yield link
    link.close()


def refused(trust, server_context, tmp_path, **how):
    with Listening(server_context) as server:
        with (
            linked(trust, server.port, tmp_path, **how) as link,
            pytest.raises((uplink.NotTrusted, uplink.Unreachable)) as error,
        ):
            link.post("/api/v1/metrics", b"secret sample", "text/plain")
        assert server.done.wait(5)
        assert server.received == b""
        return error, server


def test_the_right_server_gets_the_request(tmp_path):
    trust = agent_centre.Trust()
    with (
        agent_centre.Centre(trust.context(tmp_path)) as centre,
        linked(trust, centre.port, tmp_path) as link,
    ):
        answer = link.post_json("/x", {"a": 1})
        assert answer.status == 204
        assert centre.requests == [("/x", centre.requests[0][1], {"a": 1})]


def test_a_wrong_pin_is_refused_though_the_certificate_is_in_order(tmp_path):
    trust = agent_centre.Trust()
    error, server = refused(trust, trust.context(tmp_path), tmp_path, pins=("0" * 64,))
    assert error.type is uplink.NotTrusted
    assert trust.pin in str(error.value)
    assert server.handshakes == 1


def test_a_wrong_pin_is_refused_at_enrolment_too(tmp_path):
    trust = agent_centre.Trust()
    error, _ = refused(trust, trust.context(tmp_path), tmp_path, pins=("0" * 64,), ca=False)
    assert error.type is uplink.NotTrusted


def test_the_pin_alone_is_not_enough_another_authority_is_refused(tmp_path):
    trust, other = agent_centre.Trust(), agent_centre.Trust()
    error, _ = refused(trust, other.context(tmp_path), tmp_path, pins=(other.pin,))
    assert error.type is uplink.NotTrusted


def test_the_same_authority_with_another_key_is_refused(tmp_path):
    trust, other = agent_centre.Trust(), agent_centre.Trust()
    other.authority = trust.authority
    now = dt.datetime.now(dt.UTC)
    other.server = certificates.make_server(trust.authority, [], ["127.0.0.1"], now=now)
    error, _ = refused(trust, other.context(tmp_path), tmp_path)
    assert error.type is uplink.NotTrusted


def test_tls_1_2_is_refused(tmp_path):
    trust = agent_centre.Trust()
    context = trust.context(tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    error, server = refused(trust, context, tmp_path)
    assert error.type is uplink.NotTrusted
    assert server.handshakes == 0


def test_an_expired_certificate_is_refused_though_the_pin_fits(tmp_path):
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=500)
    trust = agent_centre.Trust()
    trust.authority = certificates.make_authority("test", now=long_ago)
    trust.server = certificates.make_server(trust.authority, [], ["127.0.0.1"], now=long_ago)
    trust.pin = certificates.pin_of(trust.server.certificate_pem)
    error, _ = refused(trust, trust.context(tmp_path), tmp_path)
    assert "expired" in str(error.value)


def test_a_certificate_for_another_name_is_refused_though_the_pin_fits(tmp_path):
    trust = agent_centre.Trust(names=("other.example",), addresses=())
    error, _ = refused(trust, trust.context(tmp_path), tmp_path)
    assert error.type is uplink.NotTrusted


def test_a_self_signed_certificate_is_refused_though_the_pin_fits(tmp_path):
    trust, alone = agent_centre.Trust(), agent_centre.Trust()
    alone.server = self_signed()
    pin = certificates.pin_of(alone.server.certificate_pem)
    error, server = refused(trust, alone.context(tmp_path), tmp_path, pins=(pin,))
    assert "self-signed" in str(error.value)
    assert error.type is uplink.NotTrusted
    assert server.received == b""


def test_a_certificate_that_is_not_valid_yet_is_refused_though_the_pin_fits(tmp_path):
    trust = agent_centre.Trust(now=dt.datetime.now(dt.UTC) + dt.timedelta(days=2))
    error, server = refused(trust, trust.context(tmp_path), tmp_path)
    assert "not yet valid" in str(error.value)
    assert server.received == b""


def test_a_key_that_a_newer_root_names_no_more_is_refused(tmp_path):
    trust = agent_centre.Trust()
    now = dt.datetime.now(dt.UTC)
    context = trust.context(tmp_path)
    before, trust.server = (
        trust.pin,
        certificates.make_server(trust.authority, ["localhost"], ["127.0.0.1"], now=now),
    )
    following = certificates.pin_of(trust.server.certificate_pem)
    (tmp_path / "ca.pem").write_bytes(trust.authority.certificate_pem)
    with agent_centre.Centre(trust.context(tmp_path)) as centre:
        address = uplink.Address("127.0.0.1", centre.port, (before, following))
        link = uplink.Uplink(address, uplink.client_context(tmp_path / "ca.pem"))
        with contextlib.closing(link):
            assert link.post_json("/x", {}).status == 204
            known = server_pins.KnownServers(tmp_path / "pins.json", (before,), [link])
            known.follow([following])  # the executor says what the root names that it verified
    for kept in (link.address.pins, server_pins.read(tmp_path / "pins.json")):
        assert kept == (following,)
        error, server = refused(trust, context, tmp_path, pins=kept)
        assert error.type is uplink.NotTrusted
        assert (server.handshakes, server.received) == (1, b"")


@pytest.mark.parametrize("at", ["enrolment", "a sample"])
def test_a_proxy_that_ends_tls_is_refused_though_all_would_trust_its_chain(tmp_path, at):
    """The chain is in order for the system's own authorities, and names the host that is called."""
    trust, public = agent_centre.Trust(), agent_centre.Trust()
    store = tmp_path / "public.pem"
    store.write_bytes(public.authority.certificate_pem)
    with (
        agent_centre.Centre(trust.context(tmp_path)) as centre,
        Listening(public.context(tmp_path)) as proxy,
    ):
        usual = ssl.create_default_context(cafile=str(store))
        (tmp_path / "ca.pem").write_bytes(trust.authority.certificate_pem)
        mine = None if at == "enrolment" else tmp_path / "ca.pem"
        context = uplink.client_context(mine)
        if mine is not None:
            context.load_verify_locations(cafile=str(store))  # as if a policy had added it
        link = uplink.Uplink(uplink.Address("127.0.0.1", proxy.port, (trust.pin,)), context)
        with contextlib.closing(link), pytest.raises(uplink.NotTrusted) as error:
            link.post("/api/v1/metrics", b"secret sample", "text/plain")
        assert public.pin in str(error.value)
        assert proxy.done.wait(5)
        assert (proxy.handshakes, proxy.received) == (1, b"")
        assert centre.requests == []
    with Listening(public.context(tmp_path)) as again:  # the chain is one that others believe
        connection = socket.create_connection(("127.0.0.1", again.port))
        with usual.wrap_socket(connection, server_hostname="127.0.0.1") as tls:
            tls.sendall(b"what a client without pins would send")
        assert again.done.wait(5)
        assert again.received.startswith(b"what a client")


def self_signed():
    """Make a certificate for this machine by its own key, as good as it can be alone."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificates.Issued(made.public_bytes(pem), private)


def test_a_server_without_tls_is_refused(tmp_path):
    trust = agent_centre.Trust()
    with agent_centre.Centre(None) as centre:
        with (
            linked(trust, centre.port, tmp_path) as link,
            pytest.raises((uplink.NotTrusted, uplink.Unreachable)),
        ):
            link.post_json("/x", {"a": 1})
        assert centre.requests == []


def test_the_environment_can_name_no_proxy_and_no_key_log(tmp_path, monkeypatch):
    trust = agent_centre.Trust()
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    with (
        agent_centre.Centre(trust.context(tmp_path)) as centre,
        linked(trust, centre.port, tmp_path) as link,
    ):
        assert link.get("/x").status == 204
    assert not (tmp_path / "keys").exists()


def test_one_connection_is_kept_and_opened_again_where_it_was_cut(tmp_path):
    trust = agent_centre.Trust()
    with (
        agent_centre.Centre(trust.context(tmp_path)) as centre,
        agent_centre.Relay(centre.port) as relay,
        linked(trust, relay.port, tmp_path) as link,
    ):
        for _ in range(5):
            link.get("/x")
        assert relay.connections == 1
        relay.cut()
        assert link.get("/x").status == 204
        assert relay.connections == 2


def test_a_centre_that_is_away_is_unreachable(tmp_path):
    trust = agent_centre.Trust()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with linked(trust, port, tmp_path) as link, pytest.raises(uplink.Unreachable):
        link.get("/x")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"\x00" * 70000,
    ],
)
def test_an_answer_that_is_not_http_is_unreachable(tmp_path, answer):
    trust = agent_centre.Trust()
    listener = socket.create_server(("127.0.0.1", 0))
    context = trust.context(tmp_path)

    def serve():
        connection, _ = listener.accept()
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(4096)
            tls.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    port = listener.getsockname()[1]
    with (
        listener,
        linked(trust, port, tmp_path) as link,
        pytest.raises(uplink.Unreachable),
    ):
        link.get("/x")


def test_closing_ends_a_request_that_waits(tmp_path):
    trust = agent_centre.Trust()
    with (
        Listening(trust.context(tmp_path)) as server,
        linked(trust, server.port, tmp_path) as link,
    ):
        ended = []

        def wait():
            with pytest.raises(uplink.Unreachable) as error:
                link.get("/x")
            ended.append(error)

        waiting = threading.Thread(
            target=wait,
            daemon=True,
        )
        waiting.start()
        while not server.received and waiting.is_alive():
            waiting.join(0.01)
        link.close()
        waiting.join(2)
        assert len(ended) == 1


# --- several servers of one control plane


@contextlib.contextmanager
def servers(tmp_path, count):
    """Run servers of one control plane, and a link that knows all of them."""
    trust = agent_centre.Trust()
    (tmp_path / "ca.pem").write_bytes(trust.authority.certificate_pem)
    with contextlib.ExitStack() as opened:
        centres = [
            opened.enter_context(agent_centre.Centre(trust.context(tmp_path))) for _ in range(count)
        ]
        first, *others = [("127.0.0.1", centre.port) for centre in centres]
        address = uplink.Address(*first, (trust.pin,), tuple(others))
        link = uplink.Uplink(address, uplink.client_context(tmp_path / "ca.pem"))
        opened.callback(link.close)
        yield centres, link


def asked(centres):
    return [len(centre.requests) + len(centre.frames) for centre in centres]


def test_the_first_server_is_kept_while_it_answers(tmp_path):
    with servers(tmp_path, 3) as (centres, link):
        for _ in range(4):
            assert link.post_json("/x", {}).status == 204
        assert asked(centres) == [4, 0, 0]


def test_a_request_that_a_dead_server_cannot_take_goes_to_the_next_one(tmp_path):
    with servers(tmp_path, 3) as (centres, link):
        link.post_json("/x", {})
        centres[0].__exit__()
        for _ in range(3):
            assert link.post_json("/x", {}).status == 204
        assert asked(centres) == [1, 3, 0]
        centres[1].__exit__()
        assert link.post_json("/x", {}).status == 204
        assert asked(centres) == [1, 3, 1]


def test_a_server_that_says_it_cannot_gets_no_further_request_for_now(tmp_path):
    with servers(tmp_path, 2) as (centres, link):
        centres[0].plan.append(503)
        first = link.post("/api/v1/metrics", b"x", "application/octet-stream")
        assert first.status == 503
        link.post_json("/x", {})
        assert asked(centres) == [1, 1]


def test_where_no_server_answers_it_is_said_once_and_tried_again_from_the_next(tmp_path):
    with servers(tmp_path, 2) as (centres, link):
        for centre in centres:
            centre.__exit__()
        for _ in range(2):
            with pytest.raises(uplink.Unreachable):
                link.post_json("/x", {})


def test_a_server_of_another_key_is_an_alarm_and_gets_nothing_though_others_would_do(tmp_path):
    stranger = agent_centre.Trust()
    with (
        servers(tmp_path, 1) as ([good], link),
        Listening(stranger.context(tmp_path)) as server,
    ):
        known = link._address
        mixed = uplink.Uplink(
            uplink.Address("127.0.0.1", server.port, known.pins, (("127.0.0.1", good.port),)),
            uplink.client_context(tmp_path / "ca.pem"),
        )
        with contextlib.closing(mixed):
            with pytest.raises(uplink.NotTrusted):
                mixed.post_json("/x", {})
            assert mixed.post_json("/x", {}).status == 204
        assert server.received == b""
