"""What every host promises of files: what was chosen, below the root, and no link followed."""

import os

import pytest

from sentienguard.ports import files
from tests.contract import host_ports


def select(host, pattern="*", **more):
    return files.Selection(root=str(host.volume), pattern=pattern, **more)


def found(host, pattern="*", **more):
    return sorted(one.path for one in host.files.find(select(host, pattern, **more)).files)


def test_files_are_found_by_pattern_age_size_and_place(host):
    host_ports.fill(host, "a.log", "sub/b.log", "sub/c.txt")
    host_ports.fill(host, "young.log", age=0)
    host_ports.fill(host, "big.log", size=1000)
    assert found(host, "*.log", min_age_s=60) == ["a.log", "big.log", "sub/b.log"]
    assert found(host, "*.log", below="sub") == ["sub/b.log"]
    assert found(host, "*", min_size=500) == ["big.log"]
    assert found(host, "*", below="nothing/here") == []


def test_the_newest_are_kept_and_the_rest_is_bounded_oldest_first(host):
    for n in range(5):
        host_ports.fill(host, f"{n}.log", age=1000 - n)
    assert found(host, "*.log", keep_newest=2) == ["0.log", "1.log", "2.log"]
    bounded = host.files.find(select(host, "*.log", at_most=2))
    assert [one.path for one in bounded.files] == ["0.log", "1.log"]
    assert bounded.more


def test_links_are_never_followed(host):
    outside = host.directory / "outside"
    outside.mkdir()
    (outside / "secret.log").write_text("x")
    (host.volume / "link").symlink_to(outside)
    (host.volume / "file.log").symlink_to(outside / "secret.log")
    assert found(host, "*.log") == []
    with pytest.raises(files.NotAllowed):
        host.files.find(select(host, "*.log", below="link"))
    with pytest.raises(files.NotAllowed):
        host.files.find(files.Selection(root=str(host.volume / "link"), pattern="*"))


@pytest.mark.parametrize("below", ["..", "../outside", "/etc", "a/../../b"])
def test_nothing_leads_out_of_the_root(host, below):
    with pytest.raises(files.NotAllowed):
        host.files.find(select(host, below=below))


def test_a_directory_swapped_for_a_link_after_finding_saves_its_target(host):
    outside = host.directory / "outside"
    outside.mkdir()
    host_ports.fill(host, "sub/a.log")
    chosen = host.files.find(select(host)).files
    (host.volume / "sub").rename(host.directory / "moved")
    os.link(host.directory / "moved" / "a.log", outside / "a.log")  # even the same inode
    (host.volume / "sub").symlink_to(outside)
    for act in (host.files.delete, host.files.truncate):
        assert act(str(host.volume), chosen) == 0
    assert host.files.move(str(host.volume), chosen, ".sentienguard-kept-t") == 0
    assert (outside / "a.log").read_bytes() == b"x" * 10


def test_a_file_that_changed_since_it_was_found_is_left_alone(host):
    host_ports.fill(host, "a.log", "b.log")
    chosen = host.files.find(select(host)).files
    (host.volume / "a.log").write_bytes(b"new")
    assert host.files.delete(str(host.volume), chosen) == 1
    assert (host.volume / "a.log").read_bytes() == b"new"


def test_deleting_twice_deletes_once(host):
    host_ports.fill(host, "a.log", "d/b.log")
    chosen = host.files.find(select(host)).files
    assert host.files.delete(str(host.volume), chosen) == 2
    assert host.files.delete(str(host.volume), chosen) == 0


def test_truncating_spares_files_with_a_second_name(host):
    host_ports.fill(host, "a.log", "b.log")
    os.link(host.volume / "b.log", host.directory / "elsewhere")
    chosen = host.files.find(select(host)).files
    assert host.files.truncate(str(host.volume), chosen) == 1
    assert (host.volume / "a.log").stat().st_size == 0
    assert (host.directory / "elsewhere").stat().st_size == 10


def test_moved_files_come_back_where_they_were_also_twice(host):
    host_ports.fill(host, "a.log", "sub/b.log")
    chosen = host.files.find(select(host)).files
    root = str(host.volume)
    assert host.files.move(root, chosen, ".sentienguard-kept-t") == 2
    assert host.files.move(root, chosen, ".sentienguard-kept-t") == 0
    assert found(host) == []
    assert host.files.move_back(root, chosen, ".sentienguard-kept-t") == 2
    assert host.files.move_back(root, chosen, ".sentienguard-kept-t") == 2
    assert found(host) == ["a.log", "sub/b.log"]
    assert not (host.volume / ".sentienguard-kept-t").exists()


def test_moving_back_overwrites_nothing(host):
    host_ports.fill(host, "a.log")
    chosen = host.files.find(select(host)).files
    host.files.move(str(host.volume), chosen, ".sentienguard-kept-t")
    (host.volume / "a.log").write_text("somebody else's")
    assert host.files.move_back(str(host.volume), chosen, ".sentienguard-kept-t") == 0
    assert (host.volume / "a.log").read_text() == "somebody else's"


def test_a_replaced_file_keeps_mode_and_is_never_half(host):
    path = host.directory / "web.conf"
    path.write_text("old")
    path.chmod(0o640)
    host.files.replace(str(path), b"new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)
    assert host.files.read(str(path)) == b"new"
    assert [one.name for one in host.directory.iterdir() if "sentienguard-new" in one.name] == []


def test_a_link_in_the_place_of_a_file_is_refused(host):
    target = host.directory / "target"
    target.write_text("x")
    (host.directory / "link").symlink_to(target)
    with pytest.raises(files.NotAllowed):
        host.files.read(str(host.directory / "link"))
    with pytest.raises(files.NotAllowed):
        host.files.replace(str(host.directory / "link"), b"y")
    assert target.read_text() == "x"


def test_volumes_are_mounts_and_watched_directories(host):
    assert {"/", str(host.volume)} <= host.files.volumes()
    assert "/proc" not in host.files.volumes()
    host_ports.fill(host, "a", size=250_000)
    assert host.files.volume(str(host.volume)).used_percent == pytest.approx(25, abs=0.1)
    with pytest.raises(files.NotAllowed):
        host.files.volume("/etc")
