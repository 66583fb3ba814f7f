"""Run every suite that checks the project and end with a table.

Called by `make test`, `make thorough` and `make lint`, with the Python of .venv; also by hand:

    .venv/bin/python scripts/check.py --only lint,unit

Rules:

1. Every suite runs, whether or not an earlier one failed. A test suite that holds no test fails.
2. A suite whose directory is not in the tree yet counts for nothing and is shown as "none yet".
3. A suite that cannot run on this machine is LEFT OUT with the reason. With CI=true in the
   environment that fails the run: a green CI has run everything.
4. As root on a system with apt-get, the programs that suites need are installed first.
5. The last line is `checks: N passed, N failed`, and `, N skipped` where something was left out.
6. Two suites run at a time where there are two processors: much of what they do is waiting. One
   that measures what is promised of a machine with a core to spare runs before them, alone. What a
   suite printed is shown when it has ended. A single one (`--only unit`) prints as it goes.
7. Tests run in a random order that is drawn from the tests themselves: another one with every
   change of a test, the same one wherever the same tests run, so that a failure can be repeated.
8. Suites that wait for real servers may have up to three failed tests tried again, alone, when all
   else has ended. A test that passes then is UNSTEADY: named in the table, and not a failure. What
   kills, attacks, faults and every suite without such waits find once counts at once.
"""

from __future__ import annotations

import argparse
import atexit
import concurrent.futures
import dataclasses
import enum
import functools
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(sys.executable).parent

TESTS_FAILED, NO_TESTS_COLLECTED = 1, 5  # exit statuses of pytest
TRIED_AGAIN_AT_MOST = 3  # tests in a run: more of them are no accident
KEPT = ".pytest_cache"  # below it a directory for each suite, which remembers what failed
SHOWING = threading.Lock()  # one suite's output at a time


@dataclasses.dataclass(frozen=True)
class Program:
    """Something a suite runs that Python packages do not bring."""

    names: tuple[str, ...]  # any of these on PATH will do
    debian_package: str | None = None  # None: apt-get has none that is recent enough


OPENSSL = Program(("openssl",), "openssl")
SSH_KEYGEN = Program(("ssh-keygen",), "openssh-client")
STRACE = Program(("strace",), "strace")
POSTGRESQL = Program(("initdb", "pg_ctlcluster"), "postgresql")  # Debian keeps initdb off PATH
PROMETHEUS = Program(("prometheus",), "prometheus")
ALERTMANAGER = Program(("prometheus-alertmanager", "alertmanager"), "prometheus-alertmanager")
REDIS = Program(("redis-server",), "redis-server")
NGINX = Program(("nginx", "/usr/sbin/nginx"), "nginx-light")
HAPROXY = Program(("haproxy", "/usr/sbin/haproxy"), "haproxy")  # for its playbooks
CHRONY = Program(("chronyd", "/usr/sbin/chronyd"), "chrony")  # measures, and may not step a clock
DNSMASQ = Program(("dnsmasq", "/usr/sbin/dnsmasq"), "dnsmasq-base")  # a name server to restart
MARIADB = Program(("mariadbd", "/usr/sbin/mariadbd"), "mariadb-server")
FAKETIME = Program(("faketime",), "faketime")  # for playbooks of databases: hours pass at once
RABBITMQ = Program(("/usr/lib/rabbitmq/bin/rabbitmq-server",), "rabbitmq-server")
JOURNAL = Program(("/lib/systemd/systemd-journal-remote",), "systemd-journal-remote")
SYSTEMD = Program(("systemd-analyze",), "systemd")  # judges our units
DBUS = Program(("dbus-daemon",), "dbus-daemon")
TCPDUMP = Program(("tcpdump",), "tcpdump")
NSPAWN = Program(("systemd-nspawn",), "systemd-container")  # throw-away hosts of drills
ZSH = Program(("zsh",), "zsh")  # completion is tested in the shells themselves
FISH = Program(("fish",), "fish")
DEBOOTSTRAP = Program(("debootstrap", "/usr/sbin/debootstrap"), "debootstrap")
SSHD = Program(("sshd", "/usr/sbin/sshd"), "openssh-server")
KUBECTL = Program(("kubectl",), "kubernetes-client")
CHECKMODULE = Program(("checkmodule",), "checkpolicy")  # compiles our policy for SELinux
SEMODULE = Program(("semodule_package",), "semodule-utils")
CHROMIUM = Program(("chromium", "chromium-browser", "google-chrome"), "chromium")
NPM = Program(("npm",))


@dataclasses.dataclass(frozen=True)
class Suite:
    """One line of the closing table."""

    name: str
    place: str  # the directory it checks; a suite whose place is not there yet has nothing to do
    commands: tuple[tuple[str, ...], ...]  # all run; the first status that is not 0 counts
    needs: tuple[Program, ...] = ()
    cwd: pathlib.Path = ROOT
    waits: bool = False  # for real servers, so that a busy machine can make a test fail
    measures: bool = False  # seconds that are promised, so that nothing else may run beside it


class Result(enum.StrEnum):
    """How a suite ended."""

    PASSED = "passed"
    UNSTEADY = "UNSTEADY"
    FAILED = "FAILED"
    LEFT_OUT = "LEFT OUT"
    NONE_YET = "none yet"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a suite."""

    suite: str
    result: Result
    seconds: float = 0.0
    reason: str = ""
    tests: tuple[str, ...] = ()  # that failed and may be tried again


def main() -> int:
    """Run the suites that were asked for, print the table, return 1 if any failed."""
    suites = [*always(), *only_when_thorough()]
    arguments = parse_arguments([suite.name for suite in suites])
    if arguments.only:
        chosen = [suite for suite in suites if suite.name in arguments.only]
    else:
        chosen = suites if arguments.thorough else always()

    install_programs([suite for suite in chosen if (ROOT / suite.place).exists()])
    lanes = min(arguments.lanes, len(chosen))
    run_one = run if lanes == 1 else run_quietly
    ended = {suite.name: run_one(suite) for suite in chosen if suite.measures}
    with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
        beside = [suite for suite in chosen if not suite.measures]
        ended |= {outcome.suite: outcome for outcome in pool.map(run_one, beside)}
    outcomes = try_again(chosen, [ended[suite.name] for suite in chosen])
    if arguments.outcomes:
        said = [dataclasses.asdict(outcome) for outcome in outcomes]
        arguments.outcomes.write_text(json.dumps(said))
    return report(outcomes, in_ci=os.environ.get("CI") == "true")


def always() -> list[Suite]:
    """List the suites of every run: the quick ones first, then the longest, so that lanes fill."""
    checked = [place for place in ("src", "scripts", "benchmarks") if (ROOT / place).exists()]
    return [
        Suite("format", ".", (tool("ruff", "format", "--check", "."),)),
        Suite("lint", ".", (tool("ruff", "check", "."),)),
        Suite("imports", "src", (tool("lint-imports", "--no-cache"),)),
        Suite("types", ".", (tool("mypy", *checked),)),
        Suite("advisories", "requirements", ((sys.executable, "scripts/advisories.py"),)),
        pytest_suite("unit", needs=(OPENSSL, JOURNAL)),
        pytest_suite("kills", needs=(OPENSSL, POSTGRESQL), measures=True),
        pytest_suite(
            "integration",
            without="controlplane",  # half of it: a suite of its own, so that lanes end together
            needs=(
                *(OPENSSL, SYSTEMD, POSTGRESQL, SSH_KEYGEN, STRACE, PROMETHEUS, ALERTMANAGER),
                *(REDIS, NGINX, MARIADB, RABBITMQ, TCPDUMP, SSHD, KUBECTL, DBUS, ZSH, FISH),
                *(CHECKMODULE, SEMODULE, FAKETIME),
            ),
            waits=True,
        ),
        pytest_suite(
            "integration/controlplane",
            needs=(OPENSSL, SSH_KEYGEN, PROMETHEUS, ALERTMANAGER),
            waits=True,
        ),
        pytest_suite("replicas", needs=(OPENSSL, POSTGRESQL), waits=True),
        pytest_suite("stories", needs=(OPENSSL, SSH_KEYGEN, STRACE), waits=True),
        pytest_suite("kernel"),
        pytest_suite("attacks", needs=(OPENSSL,)),
        pytest_suite("faults", needs=(STRACE,)),
        pytest_suite("contract"),
        pytest_suite("simulation"),
        Suite("ui", "ui/package.json", npm_commands(), needs=(NPM,), cwd=ROOT / "ui"),
        pytest_suite("browser", needs=(CHROMIUM,), waits=True),
        pytest_suite(
            "playbooks",
            needs=(
                *(POSTGRESQL, MARIADB, FAKETIME),
                *(REDIS, NGINX, HAPROXY, RABBITMQ, DNSMASQ, PROMETHEUS, OPENSSL),
                *(CHRONY, SSHD, NSPAWN, DEBOOTSTRAP),
            ),
            waits=True,
        ),
        pytest_suite("docs"),
    ]


def only_when_thorough() -> list[Suite]:
    """List the suites that take too long for every change."""
    return [pytest_suite("thorough", needs=(OPENSSL, SSH_KEYGEN, STRACE, NSPAWN, DEBOOTSTRAP))]


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    """Name a tool of this environment, not one that happens to be on PATH."""
    return (str(BIN / name), *arguments)


def pytest_suite(
    name: str,
    *,
    needs: tuple[Program, ...] = (),
    without: str = "",
    waits: bool = False,
    measures: bool = False,
) -> Suite:
    """Make the suite of one directory below tests/, without one directory in it."""
    place = f"tests/{name}"
    words = [sys.executable, "-m", "pytest", "--durations=8", "--durations-min=5", place]
    words += [f"--randomly-seed={order_of_tests()}", "-o", f"cache_dir={memory_of(name)}"]
    words.append(f"--basetemp={scratch() / name.replace('/', '-')}")
    if without:
        words.append(f"--ignore={place}/{without}")
    return Suite(name, place, (tuple(words),), needs, waits=waits, measures=measures)


def memory_of(suite: str) -> str:
    """Name the directory in which a suite remembers what failed."""
    return f"{KEPT}/{suite.replace('/', '-')}"


@functools.cache
def scratch() -> pathlib.Path:
    """Make the directory below which each suite has its own; it goes with this process.

    In the directory that pytest takes by itself, every run clears up after earlier ones, and fails
    where something of theirs cannot be removed.
    """
    made = pathlib.Path(tempfile.mkdtemp(prefix="sg-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@functools.cache
def order_of_tests() -> int:
    """Draw the order in which tests run from their names and contents."""
    drawn = hashlib.sha256()
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        drawn.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return int.from_bytes(drawn.digest()[:4], "big")


def npm_commands() -> tuple[tuple[str, ...], ...]:
    """List those of the dashboard's own checks that its package.json declares."""
    package = ROOT / "ui" / "package.json"
    if not package.exists():
        return ()
    declared = json.loads(package.read_text()).get("scripts", {})
    return tuple(("npm", "run", check) for check in ("typecheck", "test") if check in declared)


def parse_arguments(names: Sequence[str]) -> argparse.Namespace:
    """Read the command line; a suite that does not exist is refused by name."""
    parser = argparse.ArgumentParser(description="Run the checks of this project.")

    def suite_names(text: str) -> list[str]:
        wanted = [name.strip() for name in text.split(",")]
        unknown = [name for name in wanted if name not in names]
        if unknown:
            raise argparse.ArgumentTypeError(
                f"no suite is called {', '.join(unknown)}; there are {', '.join(names)}"
            )
        return wanted

    parser.add_argument("--only", type=suite_names, metavar="A,B", help="run these suites only")
    parser.add_argument("--thorough", action="store_true", help="add the suites that take long")
    parser.add_argument(
        "--outcomes", type=pathlib.Path, metavar="FILE", help="write what became of each, as JSON"
    )
    parser.add_argument(
        "--lanes", type=int, default=min(2, os.cpu_count() or 1), help="suites at a time (2)"
    )
    return parser.parse_args()


def install_programs(suites: Sequence[Suite]) -> None:
    """Install what is missing, where that is allowed; a suite reports what stays missing."""
    wanted = {
        program.debian_package
        for suite in suites
        for program in suite.needs
        if program.debian_package and not is_here(program)
    }
    packages = sorted(package for package in wanted if not is_installed(package))
    if not packages or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    heading(f"installing {', '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages],
    ):
        if subprocess.run(command, env=environment, check=False).returncode != 0:
            print(f"{' '.join(command)} failed; going on with what is here", flush=True)


def is_here(program: Program) -> bool:
    """Tell whether a program can be run."""
    return any(shutil.which(name) for name in program.names)


def is_installed(package: str) -> bool:
    """Tell whether a Debian package is installed; without dpkg-query, none is."""
    if not shutil.which("dpkg-query"):
        return False
    answer = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.returncode == 0 and answer.stdout == "installed"


def run(suite: Suite, output: int | None = None) -> Outcome:
    """Run one suite, its output going straight to ours, or to the file of this descriptor."""
    if not (ROOT / suite.place).exists():
        return Outcome(suite.name, Result.NONE_YET, reason=f"no {suite.place} in the tree")
    missing = [program for program in suite.needs if not is_here(program)]
    if missing:
        return Outcome(suite.name, Result.LEFT_OUT, reason=why_missing(missing))
    if not suite.commands:
        return Outcome(suite.name, Result.FAILED, reason=f"{suite.place} declares no check")

    heading(suite.name if output is None else f"{suite.name} begins")
    shutil.rmtree(ROOT / memory_of(suite.name), ignore_errors=True)  # of this run, not of others
    began = time.monotonic()
    statuses = [
        subprocess.run(command, cwd=suite.cwd, stdout=output, stderr=output, check=False).returncode
        for command in suite.commands
    ]
    seconds = time.monotonic() - began
    status = next((status for status in statuses if status != 0), 0)
    if status == 0:
        return Outcome(suite.name, Result.PASSED, seconds)
    if suite.waits and status == TESTS_FAILED:
        return Outcome(suite.name, Result.FAILED, seconds, f"status {status}", failed_tests(suite))
    collected_none = status == NO_TESTS_COLLECTED and suite.place.startswith("tests/")
    reason = f"{suite.place} holds no test" if collected_none else f"status {status}"
    return Outcome(suite.name, Result.FAILED, seconds, reason)


def run_quietly(suite: Suite) -> Outcome:
    """Run one suite beside another; show what it printed once it has ended."""
    with tempfile.TemporaryFile() as kept:
        outcome = run(suite, kept.fileno())
        kept.seek(0)
        printed = kept.read().decode(errors="replace")
    with SHOWING:
        heading(suite.name)
        print(printed, end="", flush=True)
        print(f"=== {suite.name}: {outcome.result}, {outcome.seconds:.1f} s ===", flush=True)
    return outcome


def failed_tests(suite: Suite) -> tuple[str, ...]:
    """Name the tests of a suite that failed in the run that just ended."""
    remembered = ROOT / memory_of(suite.name) / "v" / "cache" / "lastfailed"
    return tuple(json.loads(remembered.read_text())) if remembered.exists() else ()


def try_again(suites: Sequence[Suite], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Run failed tests of suites that wait once more, alone; too many of them stay failures."""
    if not 0 < sum(len(outcome.tests) for outcome in outcomes) <= TRIED_AGAIN_AT_MOST:
        return list(outcomes)
    return [
        tried_again(suite, outcome) if outcome.tests else outcome
        for suite, outcome in zip(suites, outcomes, strict=True)
    ]


def tried_again(suite: Suite, outcome: Outcome) -> Outcome:
    """Run the tests of one suite that failed, in the order in which they ran."""
    heading(f"{suite.name}: {len(outcome.tests)} failed, tried again alone")
    [command] = suite.commands
    again = subprocess.run([*command, "--last-failed"], cwd=suite.cwd, check=False).returncode
    if again != 0:
        return outcome
    reason = f"failed once, passed alone: {', '.join(outcome.tests)}"
    return dataclasses.replace(outcome, result=Result.UNSTEADY, reason=reason)


def why_missing(programs: Sequence[Program]) -> str:
    """Say which programs are missing and how to get them."""
    names = ", ".join(program.names[0] for program in programs)
    packages = " ".join(program.debian_package for program in programs if program.debian_package)
    if not packages:
        return f"{names} is not on PATH"
    return f"{names} is not on PATH (as root: apt-get install {packages})"


def report(outcomes: Sequence[Outcome], *, in_ci: bool) -> int:
    """Print the closing table and its last line, and return the exit status."""
    heading("summary")
    width = max(len("suite"), *(len(outcome.suite) for outcome in outcomes))
    print(f"{'suite':<{width}} {'result':<9} {'seconds':>8}")
    for outcome in outcomes:
        name = f"{outcome.suite:<{width}}"
        line = f"{name} {outcome.result:<9} {outcome.seconds:>8.1f}  {outcome.reason}"
        print(line.rstrip())
    passed, unsteady, failed, left_out = (
        sum(outcome.result == result for outcome in outcomes)
        for result in (Result.PASSED, Result.UNSTEADY, Result.FAILED, Result.LEFT_OUT)
    )
    print()
    if left_out and in_ci:
        print("CI=true: a suite that was left out fails the run")
    if unsteady:
        print("UNSTEADY: mend these tests, or what they found; they passed at the second try only")
    skipped = f", {left_out} skipped" if left_out else ""
    print(f"checks: {passed + unsteady} passed, {failed} failed{skipped}", flush=True)
    return 1 if failed or (left_out and in_ci) else 0


def heading(text: str) -> None:
    """Separate the output of suites."""
    print(f"\n=== {text} ===", flush=True)


if __name__ == "__main__":
    sys.exit(main())
