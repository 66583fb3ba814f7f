"""A confined process asks the real kernel for what it may not have; each answer is looked at."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sentienguard.agent import confinement, lean
from tests.support import agent_centre

pytestmark = pytest.mark.integration
ROOT = Path(lean.__file__).resolve().parents[2]

PRELUDE = """
    import json, os, socket, sys, threading
    sys.path.insert(0, {root!r})
    from pathlib import Path
    from sentienguard.agent import confinement
    home, outside = Path({home!r}), Path({outside!r})
    def tried(act):
        try:
            act()
        except OSError as error:
            return type(error).__name__
        return "done"
    def bind(family, kind, place):
        with socket.socket(family, kind) as made:
            made.bind(place)
    TCP, UDP, UNIX = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.AF_UNIX
"""


@pytest.fixture
def confined(tmp_path):
    """Run code in a process of its own; return what it prints as JSON."""

    def run(code):
        home, outside = tmp_path / "home", tmp_path / "outside"
        home.mkdir(exist_ok=True)
        outside.mkdir(exist_ok=True)
        prelude = PRELUDE.format(root=str(ROOT), home=str(home), outside=str(outside))
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", textwrap.dedent(prelude) + textwrap.dedent(code)],
            capture_output=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return run


BINDS = """
    inet, inet6 = socket.AF_INET, socket.AF_INET6
    print(json.dumps({
        "tcp": tried(lambda: bind(inet, TCP, ("127.0.0.1", 0))),
        "udp": tried(lambda: bind(inet, UDP, ("127.0.0.1", 0))),
        "tcp6": tried(lambda: bind(inet6, TCP, ("::1", 0))),
        "udp6": tried(lambda: bind(inet6, UDP, ("::1", 0))),
        "unix": tried(lambda: bind(UNIX, TCP, str(home / "s"))),
        "abstract": tried(lambda: bind(UNIX, UDP, "\\0sentienguard-test")),
    }))
"""


def test_without_confinement_the_same_process_binds_them_all(confined):
    assert set(confined(BINDS).values()) == {"done"}


def test_nothing_can_be_bound_under_seccomp_alone(confined):
    found = confined("assert confinement.seccomp() == ''\n" + textwrap.dedent(BINDS))
    assert set(found.values()) == {"PermissionError"}


def test_no_tcp_port_can_be_bound_under_landlock_alone(confined):
    found = confined(
        "version, why = confinement.landlock([home])\nassert version >= 4, why\n"
        + textwrap.dedent(BINDS)
    )
    assert found["tcp"] == found["tcp6"] == "PermissionError"


def test_it_holds_for_threads_that_were_there_before(confined):
    found = confined("""
        go, said = threading.Event(), []
        def later():
            go.wait()
            said.append(tried(lambda: bind(socket.AF_INET, TCP, ("127.0.0.1", 0))))
        early = threading.Thread(target=later)
        early.start()
        assert confinement.seccomp() == ""
        go.set()
        early.join()
        print(json.dumps(said))
    """)
    assert found == ["PermissionError"]


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        ("(home / 'f').write_text('x')", "done"),
        ("((home / 'f').write_text('x'), (home / 'f').rename(home / 'g'))", "done"),
        ("(home / 'd').mkdir()", "done"),
        ("(outside / 'f').write_text('x')", "PermissionError"),
        ("(outside / 'there').open('r+')", "PermissionError"),
        ("os.truncate(outside / 'there', 0)", "PermissionError"),
        ("(outside / 'there').unlink()", "PermissionError"),
        ("(outside / 'd').mkdir()", "PermissionError"),
        ("os.symlink('/etc/passwd', outside / 'l')", "PermissionError"),
        ("(outside / 'there').read_text()", "done"),
        ("os.execv('/bin/true', ['true'])", "PermissionError"),
        ("os.posix_spawn('/bin/true', ['true'], {})", "PermissionError"),
        ("os.kill(os.getppid(), 0)", "PermissionError"),
        ("socket.socket(socket.AF_INET, TCP).connect(('127.0.0.1', 1))", "ConnectionRefusedError"),
        ("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", "PermissionError"),
        ("socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", "PermissionError"),
        ("socket.getaddrinfo('localhost', 80)", "done"),
    ],
)
def test_a_fully_confined_process_can_do_its_work_and_nothing_else(
    confined, tmp_path, act, expected
):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "there").write_text("x")
    found = confined(f"""
        version, why = confinement.landlock([home], [Path(os.devnull)])
        assert version >= 6, why
        assert confinement.seccomp() == ""
        print(json.dumps(tried(lambda: {act})))
    """)
    assert found == expected


def test_confinement_cannot_be_taken_back_by_another_one(confined):
    found = confined("""
        confinement.landlock([home])
        confinement.landlock([outside])
        print(json.dumps(tried(lambda: (outside / "f").write_text("x"))))
    """)
    assert found == "PermissionError"


def test_every_machine_s_table_is_a_filter_that_the_kernel_could_take():
    for machine in confinement.MACHINES.values():
        code = confinement.program(machine)
        assert len(code) % 8 == 0
        assert len(code) // 8 < 4096
        assert len(set(machine.refused.values())) == len(machine.refused)


def test_what_is_required_and_missing_ends_the_start():
    with pytest.raises(confinement.NotConfined, match="no table"):
        confinement.settle("required", 7, "", "seccomp: no table of calls for pdp11")
    level = confinement.settle("wanted", 0, "Landlock: Function not implemented", "")
    assert level.text == "no-landlock,seccomp"
    assert level.missing == ("Landlock: Function not implemented",)


@pytest.fixture
def trust():
    return agent_centre.Trust()


def test_the_real_collector_is_confined_and_its_samples_arrive(trust, tmp_path):
    """`Seccomp: 2` is a filter in force; /proc says so of every thread."""
    with agent_centre.Centre(trust.context(tmp_path)) as centre:
        agent_centre.enrolled(tmp_path / "agent", trust, centre.port)
        file = tmp_path / "agent" / "agent.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"confinement": "required"}))
        with (tmp_path / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                lean.command("collector", tmp_path / "agent"),
                env=lean.environment(),
                stderr=stderr,
            )
        try:
            assert centre.wait_for(lambda c: len(c.samples) >= 3)
            threads = [
                (thread / "status").read_text()
                for thread in Path(f"/proc/{process.pid}/task").iterdir()
            ]
        finally:
            process.terminate()
            process.wait(10)
    assert len(threads) > 3
    for status in threads:
        assert "Seccomp:\t2" in status
        assert "NoNewPrivs:\t1" in status
    told = (tmp_path / "stderr").read_text()
    assert "landlock-" in told
    assert "Permission" not in told
