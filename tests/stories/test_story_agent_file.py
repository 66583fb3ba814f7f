"""The agent as one file: built, enrolled, heard, and a remedy run by it; nothing of this checkout.

It runs on the Python that this environment was made from, without its packages.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts import agent_file
from sentienguard.cli.installation import host_agent, processes
from tests.support import installation

pytestmark = [pytest.mark.stories, pytest.mark.timeout(180)]
PYTHON = Path(sys.base_prefix) / f"bin/python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("built") / "sentienguard-agent"
    agent_file.build(path, "0.0.1")
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def agent(built, cache):
    """Return what runs a command of the built agent, in an environment without ours."""

    def run(*arguments, file=built, place=cache, python=PYTHON):
        return subprocess.run(
            [python, file, *map(str, arguments)],
            env={"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(place)},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def installed(built, cache, tmp_path_factory):
    """Start an installation whose agent is the file."""

    def start(places):
        with places.log("agent").open("ab") as log:
            child = subprocess.Popen(
                [PYTHON, built, "run", "--dir", str(places.agent)],
                env={"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(cache)},
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        processes._children.append(child)
        found = processes.known(child.pid)
        processes.remember(places.run / "agent.process.json", found)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(host_agent, "start", start)
        with installation.running(tmp_path_factory.mktemp("one-file")) as found:
            yield found


def test_a_remedy_is_run_and_verified_by_the_file(installed, cache):
    result = installed.perform("disk-full")
    wrong = [f"{check.name}: {check.detail}" for check in result.checks if not check.passed]
    assert (result.outcome, wrong) == ("resolved", []), installed.logs()
    executor = installed.process("executor")
    maps = Path(f"/proc/{executor.pid}/maps").read_text()
    loaded = {line.split()[-1] for line in maps.splitlines() if "_rust.abi3" in line}
    assert loaded
    assert all(one.startswith(str(cache)) for one in loaded), "its own library, not another's"
    command = Path(f"/proc/{executor.pid}/cmdline").read_bytes()
    assert str(agent_file.SOURCE).encode() not in command


def test_a_host_enrols_is_heard_and_verifies_itself(installed, agent, built, cache, tmp_path):
    with installed.client() as asked:
        token = asked.post("/tokens", {"environment": "drill", "host": None})
    place = tmp_path / "host"
    said = agent(
        "enroll", "--dir", place, "--server", token["server"], "--token", token["token"],
        "--pin", token["pin"], "--root-digest", token["root_digest"], "--host", "one-file",
        "--environment", "drill", "--interval", "0.5", "--json",
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert agent("execute", "--dir", place, "rm", "-rf", "/").returncode == 3
    since = datetime.now(UTC)
    child = subprocess.Popen(
        [PYTHON, built, "run", "--dir", place],
        env={"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(cache)},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        identity = json.loads(said.stdout)["agent_id"]
        with installed.client() as asked:
            installation.wait_for(
                lambda: host_agent._heard(asked, identity, since), "a sample of one-file"
            )
        assert agent("verify", "--dir", place).returncode == 0
    finally:
        child.terminate()
        child.wait(20)


def test_a_file_that_was_changed_is_not_started(agent, tmp_path):
    assert agent("--help", place=tmp_path).returncode == 0
    [place] = tmp_path.glob("sentienguard/agent-*")
    victim = place / "sentienguard/agent/main.py"
    victim.write_bytes(victim.read_bytes() + b"\n")
    refused = agent("--help", place=tmp_path)
    assert (refused.returncode, "main.py was changed" in refused.stderr) == (1, True)
    shutil.rmtree(place)
    assert agent("--help", place=tmp_path).returncode == 0
    (place / "sentienguard/agent/more.py").write_text("")
    assert "does not belong there" in agent("--help", place=tmp_path).stderr
    (place / "sentienguard/agent/more.py").unlink()
    place.chmod(0o777)
    assert "can be changed by others" in agent("--help", place=tmp_path).stderr
    place.chmod(0o755)
    (place / "yaml/__init__.py").unlink()
    assert "is missing" in agent("--help", place=tmp_path).stderr


def test_who_can_rename_what_is_above_does_not_choose_what_runs(agent, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    refused = agent("--help", place=shared)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"{shared} can be changed by others" in refused.stderr
    assert list(shared.iterdir()) == [], "nothing is unpacked there"
    shared.chmod(0o1777)  # as /tmp is: only owners rename there
    assert agent("--help", place=shared).returncode == 0
    (shared / "sentienguard").chmod(0o770)
    assert "can be changed by others" in agent("--help", place=shared).stderr
    link = tmp_path / "link"
    link.symlink_to(shared)
    (shared / "sentienguard").chmod(0o755)
    shared.chmod(0o777)
    assert "can be changed by others" in agent("--help", place=link).stderr


def test_it_is_small_and_the_same_bytes_each_time(built, tmp_path):
    again = tmp_path / "again"
    agent_file.build(again, "0.0.1")
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (built, again)}
    assert len(digests) == 1
    assert built.stat().st_size < agent_file.MOST_BYTES
    names = set(agent_file.inside(built))
    assert not [name for name in names if "/controlplane/" in name or "/decide/" in name]
    assert not [name for name in names if name.split("/")[0] in {"msgspec", "numpy", "httpx"}]
