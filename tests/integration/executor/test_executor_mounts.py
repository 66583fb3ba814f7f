"""A clean-up stays on the mount of its root, also on an overlay, and whatever is mounted below."""

import os
import subprocess
from pathlib import Path

import pytest

from sentienguard.adapters.local_host import files as local
from sentienguard.ports import files

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")


@pytest.fixture
def mounted():
    places = []

    def mount(*argv, at):
        ran = subprocess.run(["mount", *map(str, argv), str(at)], capture_output=True, check=False)
        if ran.returncode:
            pytest.skip(f"this machine does not let its root mount: {ran.stderr.decode().strip()}")
        places.append(str(at))
        return Path(at)

    yield mount
    for place in reversed(places):
        subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def overlay(tmp_path, mounted):
    """Give an overlay whose layers lie on two file systems, as the root of a container has."""
    lower, above, merged = tmp_path / "lower", tmp_path / "above", tmp_path / "merged"
    for each in (lower, above, merged):
        each.mkdir()
    (lower / "old.log.1").write_bytes(b"from the image")
    mounted("-t", "tmpfs", "tmpfs", at=above)
    (above / "upper").mkdir()
    (above / "work").mkdir()
    layers = f"lowerdir={lower},upperdir={above}/upper,workdir={above}/work"
    mounted("-t", "overlay", "overlay", "-o", layers, at=merged)
    (merged / "var").mkdir()
    (merged / "var/new.log.1").write_bytes(b"written since")
    return merged


def _clean(root):
    host = local.LocalFiles({str(root): None})
    found = host.find(files.Selection(root=str(root), pattern="*.log.[0-9]*"))
    return {each.path for each in found.files}, host.delete(str(root), found.files)


def test_files_of_both_layers_of_an_overlay_are_its_own(overlay):
    assert _clean(overlay) == ({"old.log.1", "var/new.log.1"}, 2)
    assert not list(overlay.rglob("*.log.1"))


@pytest.mark.parametrize("how", ["tmpfs", "overlay itself", "directory of the same disk"])
def test_no_other_mount_below_is_entered(overlay, mounted, tmp_path, how):
    inside = overlay / "data"
    inside.mkdir()
    if how == "tmpfs":
        mounted("-t", "tmpfs", "tmpfs", at=inside)
    elif how == "overlay itself":
        (overlay / "kept").mkdir()
        mounted("--bind", overlay / "kept", at=inside)
    else:
        (tmp_path / "disk").mkdir()
        mounted("--bind", tmp_path / "disk", at=inside)
    (inside / "precious.log.1").write_bytes(b"somebody else's")
    found, _ = _clean(overlay)
    assert not [path for path in found if path.startswith("data/")]
    assert (inside / "precious.log.1").exists() is (how != "overlay itself")


def test_a_single_file_that_is_mounted_over_a_name_is_left_alone(overlay, mounted, tmp_path):
    precious = tmp_path / "precious"
    precious.write_bytes(b"somebody else's")
    bait = overlay / "bait.log.1"
    bait.write_bytes(b"")
    mounted("--bind", precious, at=bait)
    host = local.LocalFiles({str(overlay): None})
    wanted = files.Selection(root=str(overlay), pattern="*.log.[0-9]*")
    found = host.find(wanted)
    assert "bait.log.1" not in {each.path for each in found.files}
    host.truncate(str(overlay), found.files)
    assert precious.read_bytes() == b"somebody else's"


def test_a_bind_mount_of_the_same_file_system_is_another_volume(mounted, tmp_path):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    (root / "data").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "precious.log.1").write_bytes(b"somebody else's")
    (root / "own.log.1").write_bytes(b"ours")
    mounted("--bind", elsewhere, at=root / "data")
    assert _clean(root) == ({"own.log.1"}, 1)
    assert (elsewhere / "precious.log.1").exists()
