"""Where volumes are: the mount table as it is at the time of the look."""

from sentienguard.adapters.local_host import mounts

TABLE = """/dev/sda1 / ext4 rw,relatime 0 0
/dev/sdb1 /srv/with\\040blank xfs rw 0 0
/dev/sdc1 /srv/read-only ext4 ro 0 0
tmpfs /tmp tmpfs rw 0 0
tmpfs /run/user/0 tmpfs rw 0 0
tmpfs /runs tmpfs rw 0 0
proc /proc proc rw 0 0
cut
"""


def test_local_writable_places_count_and_those_of_the_system_do_not(tmp_path):
    table = tmp_path / "mounts"
    table.write_text(TABLE)
    assert mounts.mount_points(table) == {"/", "/srv/with blank", "/tmp", "/runs"}


def test_what_is_mounted_or_gone_since_the_last_look_is_seen(tmp_path):
    table = tmp_path / "mounts"
    table.write_text(TABLE)
    before = mounts.mount_points(table)
    assert mounts.mount_points(table) == before
    table.write_text(TABLE.replace("/srv/with", "/srv/without").replace("/tmp", "/var/tmp"))
    assert mounts.mount_points(table) == {"/", "/srv/without blank", "/var/tmp", "/runs"}
