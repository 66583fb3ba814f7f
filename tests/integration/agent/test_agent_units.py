"""The systemd units, judged by systemd itself."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

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


def test_a_protection_that_is_taken_out_is_noticed(tmp_path):
    unit = tmp_path / "sentienguard-collector.service"
    written = (UNITS / unit.name).read_text()
    unit.write_text(written.replace("CapabilityBoundingSet=\n", ""))
    assert exposure(unit) > MOST["collector"]
