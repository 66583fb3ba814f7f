"""The collector's certificate is exchanged in time, or after its end, and for nothing else."""

import subprocess
from collections import deque
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.agent import couriers, executor_link, lean, renewing, uplink
from sentienguard.trust import certificates, pins
from tests.support import agent_centre

pytestmark = pytest.mark.integration
DAY = timedelta(hours=24)


class World:
    """An enrolled agent, its courier, and a centre that answers what a test says."""

    def __init__(self, trust, centre, directory):
        self.trust, self.centre, self.directory = trust, centre, directory
        agent_centre.enrolled(directory, trust, centre.port)
        self.home = directory / "collector"
        self.address = uplink.Address("127.0.0.1", centre.port, (trust.pin,))
        self.executor = executor_link.ExecutorLink(directory / "run" / "executor.sock")

    def hold(self, age):
        """Let the agent have a certificate of this age, for its key."""
        made = certificates.sign_agent(
            self.trust.authority, self.trust.request.csr_pem, agent_centre.AGENT,
            now=datetime.now(UTC) - age,
        )  # fmt: skip
        (self.home / "tls.crt").write_bytes(made)
        context = uplink.client_context(
            self.home / "ca.pem", certificate=self.home / "tls.crt", key=self.home / "tls.key"
        )
        self.link = uplink.Uplink(self.address, context)
        self.courier = renewing.RenewalCourier(self.home, context, (self.link,), self.executor)
        return made

    def next(self, **changes):
        """Return a certificate as the centre would give it, or another."""
        now = datetime.now(UTC) + changes.get("ahead", timedelta(0))
        request = changes.get("request", self.trust.request)
        authority = changes.get("authority", self.trust.authority)
        return certificates.sign_agent(authority, request.csr_pem, agent_centre.AGENT, now=now)

    def answers(self, *records):
        self.centre.answers[renewing.PATH] = deque(records)

    def asked(self):
        return [body for path, _, body in self.centre.requests if path == renewing.PATH]

    def kept(self):
        return (self.home / "tls.crt").read_bytes()


@pytest.fixture
def world(tmp_path):
    trust = agent_centre.Trust(now=datetime.now(UTC) - timedelta(days=40))
    with agent_centre.Centre(trust.context(tmp_path)) as centre:
        made = World(trust, centre, tmp_path / "agent")
        with agent_centre.PretendExecutor(tmp_path / "agent" / "run" / "executor.sock"):
            yield made
            made.link.close()
            made.executor.close()


def test_a_young_certificate_is_kept_and_looked_at_each_hour(world):
    held = world.hold(timedelta(hours=2))
    assert world.courier.carry() == renewing.LOOK_S
    assert world.kept() == held
    assert world.asked() == []


def test_the_next_look_comes_when_half_of_its_life_is_over(world):
    world.hold(timedelta(hours=11, minutes=40))
    rest_s = world.courier.carry()
    assert 15 * 60 < rest_s < 20 * 60  # half of 24 h and the 5 minutes that it begins earlier


def test_at_half_of_its_life_it_is_exchanged_and_connections_show_the_new_one(world):
    world.hold(timedelta(hours=13))
    world.link.get("/before")
    new = world.next()
    world.answers({"certificate_pem": new.decode()})
    assert world.courier.carry() == 0.0
    assert world.kept() == new
    assert world.asked() == [{}]  # the certificate that the connection shows is the proof
    before = world.link._connection
    world.link.get("/after")
    assert world.link._connection is not before
    assert world.courier.carry() == renewing.LOOK_S
    assert sorted(one.name for one in world.home.iterdir()) == [
        "ca.pem", "spool", "tls.crt", "tls.key",
    ]  # fmt: skip


def test_after_its_end_the_executor_asks_over_a_connection_without_a_certificate(world):
    held = world.hold(timedelta(days=20))
    new = world.next()
    world.answers({"certificate_pem": new.decode()})
    world.courier.carry()
    [asked] = world.asked()
    assert asked == {"certificate_pem": held.decode(), "statement": {"payload": "pretended"}}
    assert world.kept() == new


def test_with_the_executor_away_a_certificate_that_ended_stays_and_is_tried_again(world):
    held = world.hold(timedelta(days=2))
    world.courier._executor = executor_link.ExecutorLink(world.directory / "run" / "nobody.sock")
    with pytest.raises(executor_link.ExecutorAway):
        world.courier.carry()
    assert world.kept() == held


def test_with_the_executor_away_one_that_has_not_ended_is_exchanged(world):
    world.hold(timedelta(hours=13))
    world.courier._executor = executor_link.ExecutorLink(world.directory / "run" / "nobody.sock")
    new = world.next()
    world.answers({"certificate_pem": new.decode()})
    world.courier.carry()
    assert world.kept() == new


@pytest.mark.parametrize(
    ("wrong", "because"),
    [
        ({"request": certificates.make_request("host-1")}, "another key"),
        ({"ahead": -timedelta(hours=14)}, "does not last longer"),
    ],
)
def test_a_certificate_that_would_make_things_worse_is_not_taken(world, wrong, because):
    held = world.hold(timedelta(hours=13))
    world.answers({"certificate_pem": world.next(**wrong).decode()})
    with pytest.raises(couriers.Refused, match=because):
        world.courier.carry()
    assert world.kept() == held


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 403, "detail": "no"},
        {"status": 404},
        {"certificate_pem": ""},
        {"certificate_pem": "no certificate"},
        {"certificate_pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        {"certificate_pem": 7},
        {},
    ],
)
def test_no_answer_of_the_centre_costs_the_certificate(world, answer):
    held = world.hold(timedelta(hours=13))
    world.answers(dict(answer))
    with pytest.raises((couriers.Refused, pins.BadCertificate, ValueError)):
        world.courier.carry()
    assert world.kept() == held
    world.answers({"certificate_pem": world.next().decode()})
    world.courier.carry()  # and the next try works
    assert world.kept() != held


def test_the_real_collector_comes_back_with_a_certificate_that_ended(world, tmp_path):
    world.hold(timedelta(days=3))
    new = world.next()
    assert pins.spki_sha256(certificates.to_der(new)) == pins.spki_sha256(
        certificates.to_der(world.kept())
    )
    world.answers({"certificate_pem": new.decode()})
    with (tmp_path / "stderr").open("ab") as stderr:
        argv = lean.command("collector", world.directory)
        process = subprocess.Popen(argv, env=lean.environment(), stderr=stderr)
    try:
        assert world.centre.wait_for(lambda c: len(c.samples) >= 3, 20)
    finally:
        process.kill()
        process.wait()
    assert world.kept() == new


def authorities(world, count):
    """Return the authority of this centre and as many others, as one PEM text."""
    now = datetime.now(UTC)
    others = [certificates.make_authority("next", now=now).certificate_pem for _ in range(count)]
    return b"".join([world.trust.authority.certificate_pem, *others]).decode()


def test_the_next_authority_comes_with_the_certificate_before_it_signs(world):
    world.hold(timedelta(hours=13))
    new, trusted = world.next(), authorities(world, 1)
    world.answers({"certificate_pem": new.decode(), "ca_pem": trusted})
    world.courier.carry()
    assert world.kept() == new
    assert (world.home / "ca.pem").read_bytes() == trusted.encode()
    world.link.get("/after")


def test_a_certificate_of_the_next_authority_is_taken_with_it(world):
    world.hold(timedelta(hours=13))
    following = certificates.make_authority("next", now=datetime.now(UTC) - timedelta(days=1))
    new = world.next(authority=following)
    both = world.trust.authority.certificate_pem + following.certificate_pem
    world.answers({"certificate_pem": new.decode(), "ca_pem": both.decode()})
    world.courier.carry()
    assert world.kept() == new


@pytest.mark.parametrize(
    "trusted", [3, "no PEM", "\N{SNOWMAN}", ["a list"], "-----BEGIN CERTIFICATE-----\nAAAA\n"]
)
def test_authorities_that_are_too_many_or_none_leave_everything_as_it_was(world, trusted):
    held = world.hold(timedelta(hours=13))
    before = (world.home / "ca.pem").read_bytes()
    ca_pem = authorities(world, trusted) if isinstance(trusted, int) else trusted
    world.answers({"certificate_pem": world.next().decode(), "ca_pem": ca_pem})
    with pytest.raises((couriers.Refused, OSError)):
        world.courier.carry()
    assert world.kept() == held
    assert (world.home / "ca.pem").read_bytes() == before
