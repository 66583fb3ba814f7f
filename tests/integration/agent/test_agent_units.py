"""The systemd units, judged by systemd itself."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sentienguard.agent import units

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze"),
]
UNITS = Path(__file__).resolve().parents[3] / "packaging" / "systemd"
MOST = {"collector": 1.5, "executor": 2.5, "controlplane": 1.5}


def exposure(unit):
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        check=False,
        text=True,
    )
    return float(re.search(r"Overall exposure level for .*: ([0-9.]+)", done.stdout)[1])


def test_every_unit_is_judged():
    assert {f"sentienguard-{name}.service" for name in MOST} == {
        one.name for one in UNITS.glob("*.service")
    }


@pytest.mark.parametrize(("name", "most"), MOST.items())
def test_a_unit_exposes_no_more_than_promised(name, most):
    assert exposure(UNITS / f"sentienguard-{name}.service") <= most


@pytest.mark.parametrize("name", MOST)
def test_systemd_understands_every_line(name, tmp_path):
    """Unknown settings are warnings to systemd, and protections that are not there."""
    unit = tmp_path / f"sentienguard-{name}.service"
    written = (UNITS / unit.name).read_text()
    unit.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", written))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)],
        capture_output=True,
        check=False,
        text=True,
    )
    told = [line for line in done.stderr.splitlines() if unit.name in line]
    assert not told


def test_what_a_package_brings_is_what_the_installation_writes():
    place = units.Place(Path("/var/lib/sentienguard-agent"), ("/usr/bin/sentienguard-agent",))
    for name, text in units.render(place).items():
        assert (UNITS / name).read_text() == text, f"{name}: write it anew from agent/units.py"


@pytest.mark.parametrize(
    ("directory", "program"),
    [
        ("/var/lib/a b", "/usr/bin/x"),
        ("/var/lib/%h", "/usr/bin/x"),
        ("/var/lib/a", "/usr/bin/x\nUser=root"),
        ("/var/lib/$A", "/usr/bin/x"),
        ("/var/lib/a", ""),
    ],
)
def test_a_path_that_means_something_to_systemd_is_refused(directory, program):
    with pytest.raises(units.NotForUnits):
        units.render(units.Place(Path(directory), (program,)))


def test_a_unit_that_we_wrote_is_told_from_one_that_was_changed():
    place = units.Place(Path("/srv/agent"), ("/usr/bin/python3", "-I", "/usr/local/bin/agent"))
    written = units.stamped(units.render(place)[units.EXECUTOR])
    assert units.is_ours(written)
    assert not units.is_ours(f"{written}# mine\n")
    assert not units.is_ours(written.partition("\n")[2])
    assert units.directory_of(written) == Path("/srv/agent")
    assert "-/opt /srv/agent\n" in written  # its own directory is not below what it may write


def test_a_protection_that_is_taken_out_is_noticed(tmp_path):
    unit = tmp_path / "sentienguard-collector.service"
    written = (UNITS / unit.name).read_text()
    unit.write_text(written.replace("CapabilityBoundingSet=\n", ""))
    assert exposure(unit) > MOST["collector"]
