"""The agent as services of a real host: a Debian with systemd, booted for this file alone.

What is installed is the one file, as on a host of somebody else. The control plane is a pretended
one on this machine, with real TLS and real signatures; the host reaches it over its loopback.
"""

import base64
import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from scripts import agent_file
from sentienguard.agent import units
from sentienguard.cli.drills import definition
from sentienguard.cli.drills.beds import choice, node_image
from sentienguard.playbook import parse
from sentienguard.trust import certificates
from sentienguard.trust import root as root_document
from tests.support import agent_centre, execution

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        bool(node_image.why_not()) or not node_image.place().is_dir(),
        reason="this machine has no Debian root for nodes; `sentienguard drill run-all` "
        "makes one as root",
    ),
]
AGENT = "/var/lib/sentienguard-agent"
WAIT_S = 20.0
MOST = {units.COLLECTOR: 1.5, units.EXECUTOR: 2.5}
EMPTY = {
    "name": "drill",
    "kind": "decoy",
    "about": "A host on which nothing is wrong.",
    "beds": ["node"],
    "ports": [],
    "volumes": {},
    "services": {},
    "prepare": "true",
    "inject": "true",
    "expect": {"outcome": "left_alone"},
}
REMEDY = Path(__file__).resolve().parents[3] / "playbooks/service_start_stopped/playbook.yaml"


def _last(centre, member):
    """Return a member of the last body that has one; other requests may have come since."""
    bodies = (body for _, _, body in reversed(list(centre.requests)) if isinstance(body, dict))
    return next(body[member] for body in bodies if member in body)


class Orders:
    """Seals what is wanted for the ticket of the poll that asks."""

    def __init__(self, centre, keys):
        self.centre, self.keys = centre, keys
        self.wanted = []

    def __bool__(self):
        return bool(self.wanted)

    def popleft(self):
        nonce = _last(self.centre, "ticket")["nonce"]
        remedy, parameters = self.wanted.pop()
        signed = self.keys.order(remedy, nonce=nonce, parameters=parameters)
        return {"order": self.keys.seal(signed), "stop": None, "checkpoint": None}


class Events:
    """Keeps what the executor signed, and says through where."""

    def __init__(self, centre):
        self.centre = centre
        self.leaves = []

    def __bool__(self):
        return True

    def popleft(self):
        came = [json.loads(one["leaf"]) for one in _last(self.centre, "events")]
        self.leaves += came
        return {"through": max(one["src_seq"] for one in came)}


class Certificates:
    """Signs the next certificate of an agent, for the key that it has."""

    def __init__(self, trust):
        self.trust = trust

    def popleft(self):
        request, now = self.trust.request.csr_pem, datetime.now(UTC)
        made = certificates.sign_agent(self.trust.authority, request, agent_centre.AGENT, now=now)
        return {"certificate_pem": made.decode()}


class Host:
    """One booted host, and the control plane that it knows."""

    def __init__(self, bed, centre, orders, events):
        self.bed, self.centre, self.orders, self.events = bed, centre, orders, events
        self.before = {}  # what was said before the agent was installed

    def run(self, script):
        return self.bed.run(script, limit_s=90)

    def said(self, script):
        done = self.run(script)
        assert done.good, done.output
        return done.output.strip()

    def agent(self, words):
        return self.run(f"sentienguard-agent {words}")

    def show(self, unit):
        lines = self.said(f"systemctl show {unit} -p ActiveState,User,MainPID,NRestarts")
        return dict(line.split("=", 1) for line in lines.splitlines())

    def until(self, condition, what):
        end = time.monotonic() + WAIT_S
        while not (found := condition()):
            assert time.monotonic() < end, f"{what}: {self.journal()}"
            time.sleep(0.1)
        return found

    def journal(self):
        return self.run(f"journalctl -u {units.EXECUTOR} -u {units.COLLECTOR} -n 40").output

    def next_sample(self):
        """Wait for a sample that is taken from now on."""
        before = len(self.centre.samples)
        assert self.centre.wait_for(lambda it: len(it.samples) > before + 1, WAIT_S), self.journal()

    def as_collector(self, python):
        """Run Python as the collector's user, with no unit around it."""
        user = units.USER
        words = f"setpriv --reuid={user} --regid={user} --init-groups --no-new-privs"
        return self.run(f"{words} python3 -I - <<'PROBE'\n{python}\nPROBE")


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """Boot a host, enrol it, look at how the installation refuses, install."""
    here = tmp_path_factory.mktemp("host")
    (here / "drill").mkdir()
    (here / "drill" / definition.FILE).write_text(yaml.safe_dump(EMPTY))
    drill = definition.read(here / "drill")
    trust, keys = agent_centre.Trust(), execution.Centre()
    beds = here / "beds"
    with agent_centre.Centre(trust.context(here)) as centre:
        orders, events = Orders(centre, keys), Events(centre)
        configure(centre, keys, orders, events)
        centre.answers["/api/v1/certificate"] = Certificates(trust)
        with choice.made(drill, "node", beds, agents_port=centre.port, tell=lambda _: None) as bed:
            root = bed.agent.parents[2]
            agent_file.build(root / "usr/local/bin/sentienguard-agent", "0.0.1")
            found = Host(bed, centre, orders, events)
            found.before["not enrolled"] = found.agent("install")
            found.due = enrolled(bed.agent, trust, keys, centre.port)
            found.before["dry run"] = found.agent("install --dry-run")
            found.before["no user"] = found.run("id sentienguard-agent")
            found.run("mv /usr/sbin/useradd /root/")
            found.before["no useradd"] = found.agent("install")
            found.run("mv /root/useradd /usr/sbin/")
            found.before["not root"] = found.run(
                "chmod 755 /usr/local/bin/sentienguard-agent\n"
                "setpriv --reuid=65534 --regid=65534 --clear-groups sentienguard-agent install"
            )
            found.before["installed"] = found.agent("install --json")
            yield found


def configure(centre, keys, orders, events):
    text = REMEDY.read_bytes()
    remedy = parse.load(text, origin="test")
    orders.remedy = remedy
    config = {
        "root": keys.root_envelope(),
        "catalogue": keys.catalogue_envelope(execution.listed(remedy)),
        "playbooks": {remedy.digest: base64.b64encode(text).decode()},
        "interval_s": 0.2,
    }

    class Always:
        def popleft(self):
            return dict(config)

    centre.answers["/api/v1/config"] = Always()
    centre.answers["/api/v1/orders"] = orders
    centre.answers["/api/v1/orders/events"] = events
    centre.hold_s = 0.2


def enrolled(directory, trust, keys, port):
    """Put the files there as the enrolment left them 13 hours ago: all of them root's."""
    root = keys.root_envelope()
    execution.Agent(directory, keys)
    agent_centre.enrolled(
        directory, trust, port, confinement="required", root_digest=root_document.digest_of(root)
    )
    long_ago = datetime.now(UTC) - timedelta(hours=13)
    due = certificates.sign_agent(
        trust.authority,
        trust.request.csr_pem,
        agent_centre.AGENT,
        now=long_ago,
        lifetime=timedelta(days=1),
    )
    (directory / "collector/tls.crt").write_bytes(due)
    return due


def test_what_hinders_an_installation_is_said_with_the_way_out(host):
    for reason, named in (
        ("not enrolled", "sentienguard-agent enroll --dir"),
        ("no useradd", "make a system user sentienguard-agent"),
        ("not root", "run this as root"),
    ):
        said = host.before[reason]
        assert (said.status, named in said.output) == (1, True), said.output
    dry = host.before["dry run"]
    assert dry.good
    assert len(re.findall("^would", dry.output, re.MULTILINE)) == 4
    assert not host.before["no user"].good, "a dry run made the user"


def test_both_run_as_their_own_users_and_samples_arrive(host):
    record = json.loads(host.before["installed"].output)
    assert set(record["processes"]) == set(units.NAMES)
    assert "write /etc/systemd/system/sentienguard-collector.service" in record["changed"]
    assert not any("acknowledged no sample" in one for one in record["next"]), record
    for unit, user in ((units.COLLECTOR, units.USER), (units.EXECUTOR, "root")):
        shown = host.show(unit)
        assert shown["ActiveState"] == "active"
        assert host.said(f"stat -c %U /proc/{shown['MainPID']}") == user
    capabilities = host.said(f"grep CapEff /proc/{host.show(units.COLLECTOR)['MainPID']}/status")
    assert int(capabilities.split()[1], 16) == 0
    host.next_sample()
    samples = host.centre.samples
    assert samples[max(samples)].host == "host-1"
    polls = [asked for path, _, asked in host.centre.requests if path == "/api/v1/orders"]
    assert re.fullmatch(r"landlock-\d+,seccomp", polls[-1]["status"]["confinement"])


REACHES = f"""
import os
def fails(what, do):
    try:
        do()
    except OSError as error:
        return
    print("reached", what)
for name in ("executor/key.pem", "executor/journal.log", "executor/state.json"):
    fails(name, lambda: open("{AGENT}/" + name).read())
fails("executor/", lambda: os.listdir("{AGENT}/executor"))
fails("agent.json", lambda: open("{AGENT}/agent.json", "a"))
fails("run/", lambda: open("{AGENT}/run/other", "w"))
fails("the socket's name", lambda: os.rename("{AGENT}/run/executor.sock", "{AGENT}/run/x"))
fails("do-not-remediate", lambda: open("{AGENT}/do-not-remediate", "w"))
open("{AGENT}/agent.json").read()
open("{AGENT}/collector/tls.key").read()
print("done")
"""


def test_the_collector_s_user_reaches_its_own_files_and_nothing_of_the_executor(host):
    assert host.as_collector(REACHES).output.split("\n") == ["done", ""]


IN_UNIT = """
import socket, sys
sys.path.insert(0, {place!r})
from pathlib import Path
from sentienguard.agent import confinement
directory = Path({agent!r})
print(*confinement.landlock([directory / "collector"], [Path("/dev/null")]))
print(confinement.seccomp() or "seccomp")
for family, kind, address in (
    (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
    (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
    (socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)),
    (socket.AF_UNIX, socket.SOCK_STREAM, str(directory / "collector/s")),
):
    try:
        socket.socket(family, kind).bind(address)
        print("bound", family, kind)
    except PermissionError:
        pass
try:
    list((directory / "executor").iterdir())
    print("saw the executor's directory")
except OSError:
    pass
for path in ("/etc/x", "/var/lib/x", "/tmp/x", str(directory / "x")):
    try:
        open(path, "w")
        print("wrote", path)
    except OSError:
        pass
(directory / "collector/probe").write_text("mine")
(directory / "collector/probe").unlink()
print("done")
"""


def test_what_runs_in_the_collector_s_unit_binds_nothing_and_writes_its_directory_alone(host):
    """A probe in the place of the collector: its unit, its user, its own confinement."""
    place = host.said("ls -d /opt/sentienguard/agent-*")
    probe = IN_UNIT.format(place=place, agent=AGENT)
    script = (
        f"cat >/opt/probe.py <<'PROBE'\n{probe}\nPROBE\n"
        f"sed -e 's,^ExecStart=.*,ExecStart=/usr/bin/python3 -I -S /opt/probe.py,' "
        "-e 's,^Type=.*,Type=oneshot,' -e '/^Restart/d' -e '/^StartLimit/d' "
        f"/etc/systemd/system/{units.COLLECTOR} >/etc/systemd/system/probe.service\n"
        "systemctl daemon-reload; systemctl start probe; journalctl --sync\n"
        "journalctl -u probe -o cat --no-pager | grep -v 'probe.service'\n"
    )
    landlock, seccomp, *found = host.said(script).splitlines()
    assert int(landlock) >= 1
    assert (seccomp, found) == ("seccomp", ["done"])


HELLO = f"""
import socket
link = socket.socket(socket.AF_UNIX)
link.connect("{AGENT}/run/executor.sock")
link.sendall(b'{{"op":"hello"}}\\n')
print(link.makefile().readline())
"""


def test_the_executor_answers_the_collector_s_user_and_no_other(host):
    answered = json.loads(host.as_collector(HELLO).output)
    assert answered["agent_id"] == agent_centre.AGENT
    assert answered["drift"] == ""
    other = host.run(
        f"setpriv --reuid=65534 --regid=65534 --clear-groups python3 -I - <<'PROBE'\n{HELLO}\nPROBE"
    )
    assert "PermissionError" in other.output


def test_an_order_through_both_starts_a_stopped_unit_of_the_host(host):
    host.said("systemctl --quiet enable cron; systemctl start cron; systemctl stop cron")
    host.until((host.bed.agent / "executor/trust/catalogue.json").exists, "no catalogue")
    host.orders.wanted.append((host.orders.remedy, {"service": "cron"}))

    def ends():
        return [one["data"] for one in host.events.leaves if one["kind"] == "order.finished"]

    (ended, *_) = host.until(ends, "the order did not end")
    assert ended["outcome"] == "SUCCESS", host.events.leaves
    assert host.said("systemctl is-active cron") == "active"


def test_the_collector_renews_its_certificate_inside_its_unit(host):
    file = host.bed.agent / "collector/tls.crt"
    host.until(lambda: file.read_bytes() != host.due, "it renewed no certificate")
    assert host.said(f"stat -c '%U %a' {AGENT}/collector/tls.crt") == f"{units.USER} 600"
    host.next_sample()


def test_killed_they_come_back(host):
    before = {unit: host.show(unit) for unit in units.NAMES}
    host.said(f"systemctl kill -s KILL {' '.join(units.NAMES)}")

    def back():
        now = {unit: host.show(unit) for unit in units.NAMES}
        return all(
            one["ActiveState"] == "active" and one["MainPID"] not in {"0", before[unit]["MainPID"]}
            for unit, one in now.items()
        )

    host.until(back, "they did not come back")
    host.next_sample()
    assert json.loads(host.agent("status --json").output)["executor"]["running"]


def test_the_running_units_expose_no_more_than_promised(host):
    for unit, most in MOST.items():
        said = host.said(f"systemd-analyze security --no-pager {unit}")
        assert float(re.search(r"Overall exposure level for .*: ([0-9.]+)", said)[1]) <= most


def test_verify_agrees_with_the_owners_and_notices_another(host):
    host.until((host.bed.agent / "executor/trust/catalogue.json").exists, "no catalogue")
    good = json.loads(host.said("sentienguard-agent verify --json"))
    assert good["good"], good
    host.said(f"chmod 0644 {AGENT}/executor/key.pem")
    bad = host.agent("verify")
    host.said(f"chmod 0600 {AGENT}/executor/key.pem")
    assert bad.status == 1
    assert "executor/key.pem has mode 0644" in bad.output


def test_a_second_installation_changes_nothing(host):
    before = {unit: host.show(unit) for unit in units.NAMES}
    said = json.loads(host.said("sentienguard-agent install --json"))
    assert said["changed"] == []
    assert {unit: host.show(unit) for unit in units.NAMES} == before


def test_another_agent_on_one_host_is_refused(host):
    host.said(f"cp -a {AGENT} /var/lib/other")
    refused = host.agent("install --dir /var/lib/other")
    host.said("rm -r /var/lib/other")
    assert refused.status == 1
    assert f"is of the agent in {AGENT}" in refused.output


def test_a_change_by_hand_is_kept_and_uninstalling_leaves_the_data(host):
    file = f"/etc/systemd/system/{units.COLLECTOR}"
    host.said(f"echo '# mine' >>{file}; systemctl daemon-reload")
    refused = host.agent("install")
    assert refused.status == 1
    assert "was changed by hand" in refused.output
    assert host.said(f"tail -1 {file}") == "# mine"
    host.said("sentienguard-agent uninstall")
    assert host.run(f"systemctl is-active {' '.join(units.NAMES)}").output == "inactive\n" * 2
    assert host.said("cd /etc/systemd/system; ls -d sentienguard*") == f"{units.COLLECTOR}.kept"
    assert host.said(f"tail -1 {file}.kept") == "# mine"
    host.said(f"test -s {AGENT}/executor/key.pem && test -s {AGENT}/collector/tls.key")
    host.said(f"rm {file}.kept; sentienguard-agent install")
    host.next_sample()
