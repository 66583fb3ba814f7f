"""The stage's files do what the real ones do; its other ports keep the rules of theirs."""

import os
import time
from datetime import timedelta

import pytest

from sentienguard.adapters.local_host import files as local
from sentienguard.ports import (
    command_runner,
    facts,
    files,
    http_probe,
    log_reader,
    processes,
    services,
)
from sentienguard.simulation import remedies
from sentienguard.simulation.proving import lying, ports, reading
from sentienguard.simulation.proving import stage as stages
from sentienguard.stages.execute import host as hosts

LYING = {  # path below the root -> size, age
    "a.log": (10, 5_000.0),
    "b.log": (2_000, 9_000.0),
    "young.log": (10, 5.0),
    "sub/c.log": (10, 7_000.0),
    "sub/deep/d.log": (300, 8_000.0),
    "sub/e.txt": (10, 9_500.0),
}
KEPT = ".sentienguard-kept-t"


def simulated(tmp_path):
    root = str(tmp_path / "volume")
    lines = "".join(
        f"    {root}/{path}: {{size: {size}, age: {age}s}}\n" for path, (size, age) in LYING.items()
    )
    text = (
        "symptom: disk_usage > 0%\nmay_change: []\nhost:\n"
        f"  volumes:\n    {root}: {{size: 10000}}\n  files:\n{lines}"
        "decoys:\n  - {name: x, why: because of it, host: {levels: {load_1m: 1}}}\n"
    )
    return lying.Files(stages.Stage(reading.read(text.encode(), "case").scene)), root


def real(tmp_path):
    root = tmp_path / "volume"
    for path, (size, age) in LYING.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x" * size)
        then = time.time() - age
        os.utime(place, (then, then))
    return local.LocalFiles({str(root): 10_000}), str(root)


both = pytest.fixture(params=[simulated, real], ids=["simulated", "real"])


@both
def port(request, tmp_path):
    return request.param(tmp_path)


SELECTIONS = [
    ({"pattern": "*.log"}, ["b.log", "sub/deep/d.log", "sub/c.log", "a.log", "young.log"]),
    ({"pattern": "*.log", "min_age_s": 60}, ["b.log", "sub/deep/d.log", "sub/c.log", "a.log"]),
    ({"pattern": "*", "below": "sub"}, ["sub/e.txt", "sub/deep/d.log", "sub/c.log"]),
    ({"pattern": "*.log", "min_size": 100}, ["b.log", "sub/deep/d.log"]),
    ({"pattern": "*.log", "keep_newest": 3}, ["b.log", "sub/deep/d.log"]),
    ({"pattern": "*.log", "at_most": 1}, ["b.log"]),
    ({"pattern": "*", "below": "nothing/here"}, []),
    ({"pattern": "sub"}, []),
]


@pytest.mark.parametrize(("chosen", "expected"), SELECTIONS)
def test_both_find_the_same(port, chosen, expected):
    known, root = port
    found = known.find(files.Selection(root=root, **chosen))
    assert [one.path for one in found.files] == expected
    assert found.more is ("at_most" in chosen)


@pytest.mark.parametrize("below", ["..", "/etc", "sub/../.."])
def test_neither_leaves_the_root(port, below):
    known, root = port
    with pytest.raises(files.NotAllowed):
        known.find(files.Selection(root=root, pattern="*", below=below))
    with pytest.raises(files.NotAllowed):
        known.find(files.Selection(root="volume", pattern="*"))


def test_a_root_that_is_not_there_is_said_by_both(port):
    known, root = port
    with pytest.raises(files.FileFailed):
        known.find(files.Selection(root=f"{root}/none", pattern="*"))


def test_both_act_once_on_what_was_found(port):
    known, root = port
    chosen = known.find(files.Selection(root=root, pattern="*.log")).files
    assert known.volume(root).used_percent == pytest.approx(23.4)
    assert known.truncate(root, chosen[:1]) == 1
    assert known.delete(root, chosen[:1]) == 0  # not what was found any more
    assert known.delete(root, chosen[1:2]) == 1
    assert known.delete(root, chosen[1:2]) == 0
    assert known.volume(root).free_bytes == 10_000 - 40


def test_both_set_aside_and_bring_back(port):
    known, root = port
    select = files.Selection(root=root, pattern="*.log")
    chosen = known.find(select).files
    assert known.move(root, chosen, KEPT) == 5
    assert known.move(root, chosen, KEPT) == 0
    assert known.find(select).files == ()
    assert known.volume(root).used_percent == pytest.approx(23.4)  # moving frees nothing
    assert known.move_back(root, chosen, KEPT) == 5
    assert known.move_back(root, chosen, KEPT) == 5
    assert known.find(select).files == chosen


def test_neither_overwrites_when_bringing_back(port):
    known, root = port
    chosen = known.find(files.Selection(root=root, pattern="a.log")).files
    known.move(root, chosen, KEPT)
    known.replace(f"{root}/a.log", b"somebody else's")
    assert known.move_back(root, chosen, KEPT) == 0
    assert known.read(f"{root}/a.log") == b"somebody else's"


def test_what_is_no_volume_is_refused(port):
    known, root = port
    with pytest.raises(files.NotAllowed):
        known.volume(f"{root}/sub")
    with pytest.raises(files.FileFailed):
        known.read(f"{root}/none")


# -- the other ports -------------------------------------------------------------------------------

SCENE = """
symptom: disk_usage > 0%
may_change: []
host:
  files:
    /var/log/web.log: {text: "old\\n", age: 1h}
  services:
    web: {log_file: /var/log/web.log}
    stuck: {state: hung}
    broken: {state: stopped, starts: false}
  processes:
    - {pid: 50, name: deaf, ignores: [SIGTERM]}
  programs:
    - {run: /bin/slow, takes: 1h}
    - {run: /bin/no *, exit: 3}
  reactions:
    - after: service start web
      then: {logs: {/var/log/web.log: "ERROR again"}}
decoys:
  - {name: x, why: because of it, host: {levels: {load_1m: 1}}}
"""


@pytest.fixture
def host():
    stage = stages.Stage(reading.read(SCENE.encode(), "case").scene)
    return ports.host(stage, frozenset)


def run(host, *argv, limit=5.0):
    return host.commands.run(
        argv, limit=limit, mark="o:step0", interrupt=hosts.Uninterrupted(host.clock)
    )


def test_a_program_ends_as_the_case_says_or_at_its_limit(host):
    assert run(host, "/bin/no", "x").exit_code == 3
    began = host.clock.monotonic()
    assert run(host, "/bin/slow").ending is command_runner.Ending.TIMED_OUT
    assert host.clock.monotonic() - began == 5.0
    with pytest.raises(command_runner.CommandNotRunnable):
        run(host, "/bin/unknown")
    assert host.commands.locate("/bin/unknown") is None


def test_services_keep_the_rules_of_their_port(host):
    first = host.services.state("web").pid
    host.services.start("web", 10)
    assert host.services.state("web").pid == first
    host.services.stop("web", 10)
    host.services.stop("web", 10)
    assert host.services.state("web") == services.State(services.Status.STOPPED)
    host.services.start("web", 10)
    assert host.services.state("web").pid not in {None, first}
    assert host.services.state("stuck").status is services.Status.HUNG
    assert host.facts.measure("http_status", {"service": "stuck"}) == 0
    for act in (host.services.start, host.services.reload):
        with pytest.raises(services.ServiceFailed):
            act("broken", 1)
    with pytest.raises(services.UnknownService):
        host.services.state("none")


def test_a_deaf_process_outlives_sigterm_and_no_other_one_is_meant(host):
    found = host.processes.find(50)
    host.processes.send(found, processes.Signal.TERMINATE)
    assert not host.processes.wait_gone(found, 1)
    host.processes.send(found, processes.Signal.KILL)
    assert host.processes.wait_gone(found, 1)
    with pytest.raises(processes.NoSuchProcess):
        host.processes.renice(found, 5)


def test_a_killed_main_process_is_a_stopped_service(host):
    pid = host.services.state("web").pid
    host.processes.send(host.processes.find(pid), processes.Signal.KILL)
    assert host.services.state("web").status is services.Status.STOPPED


def test_only_lines_after_the_mark_count(host):
    mark = host.logs.mark("/var/log/web.log")
    long_ago = remedies.START - timedelta(days=1)
    host.services.stop("web", 5)
    host.services.start("web", 5)
    assert host.logs.lines("/var/log/web.log", since=long_ago, after=mark) == ("ERROR again",)
    assert host.logs.lines("/var/log/web.log", since=long_ago, after=None)[0] == "old"
    with pytest.raises(log_reader.LogUnreadable):
        host.logs.lines("/none", since=long_ago, after=None)


def test_no_fact_is_made_up_and_nobody_else_is_asked(host):
    for name in ("no_such_fact", "service_status", "process_cpu"):
        with pytest.raises(facts.UnknownFact):
            host.facts.measure(name, {})
    with pytest.raises(http_probe.NotLoopback):
        host.http.ask("http://example.org/", 1)
