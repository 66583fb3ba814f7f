"""Hostile values on real programs, files and a database: a canary that none of them touches.

The rules are held by tests/attacks/test_injection_matrix.py in every place; here real processes, a
real file system and a real PostgreSQL take the values that admission would have refused, too.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import pytest

from sentienguard.adapters.databases import access
from sentienguard.adapters.local_host import command_runner, files, interrupt
from sentienguard.model import errors
from sentienguard.ports import databases
from sentienguard.ports import files as file_ports
from tests.servers import postgresql
from tests.support import effort, hostile_values

pytestmark = pytest.mark.integration
STRIDE = effort.pick(12, thorough=1)
TOGETHER = 40  # values that one program is given
ECHO = """
import sys
for one in sys.argv[1:]:
    sys.stdout.buffer.write(one.encode("utf-8", "surrogateescape").hex().encode() + b"\\n")
"""


@pytest.fixture
def canary(tmp_path):
    """A file that must not appear, and the values that would make it."""
    return tmp_path / "injected"


def chosen(canary, table="public.canary"):
    return [one.text for one in hostile_values.values(file=str(canary), table=table)][::STRIDE]


def run(argv):
    return command_runner.LocalCommands().run(
        argv, limit=30, mark="ord_1:step0", interrupt=interrupt.LocalInterrupt()
    )


def test_a_program_is_given_each_value_as_one_argument(canary, tmp_path):
    script = tmp_path / "echo.py"
    script.write_text(ECHO)
    passed = 0
    texts = chosen(canary)
    whole = [one for one in texts if "\0" not in one]
    for first in range(0, len(whole), TOGETHER):
        some = whole[first : first + TOGETHER]
        result = run((sys.executable, str(script), *some))
        assert result.exit_code == 0, result.stderr
        assert [bytes.fromhex(one).decode() for one in result.stdout.split("\n")[:-1]] == some
        passed += len(some)
    for text in set(texts) - set(whole):  # the kernel has no such argument
        with pytest.raises((errors.SentienGuardError, ValueError)):
            run((sys.executable, str(script), text))
    assert passed > len(texts) / 2
    assert not canary.exists()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["echo.py"]


def test_no_directory_of_a_hostile_name_is_looked_into_but_a_watched_one(canary, tmp_path):
    volume, outside = tmp_path / "volume", tmp_path / "outside"
    for place in (volume, outside):
        place.mkdir()
        (place / "a.tmp").write_text("x")
        os.utime(place / "a.tmp", (10**9, 10**9))
    local = files.LocalFiles({str(volume): 10**6})
    for text in [
        *chosen(canary),
        str(outside),
        f"{volume}/../outside",
        f"{volume}/x/../../outside",
    ]:
        for root in (text, f"{volume}{text}", f"{volume}/{text}"):
            with contextlib.suppress(errors.SentienGuardError, OSError, ValueError):
                _cleaned(local, root, volume)
    assert (outside / "a.tmp").exists()
    assert not canary.exists()


def _cleaned(local, root, volume):
    """Do what a signed step does, where admission binds the root."""
    if root not in local.volumes():
        return
    assert Path(root) == volume or not root.startswith(str(volume.parent))
    if Path(root) == volume:
        selection = file_ports.Selection(root=root, pattern="*.tmp")
        local.delete(root, local.find(selection).files)


@pytest.mark.parametrize("where", ["pattern", "below"])
def test_what_is_looked_for_below_a_volume_never_leaves_it(canary, tmp_path, where):
    volume, outside = tmp_path / "volume", tmp_path / "outside"
    for place in (volume, outside):
        place.mkdir()
        (place / "a.txt").write_text("x")
    local = files.LocalFiles({str(volume): 10**6})
    for text in [*chosen(canary), "../outside", "../*", "../outside/*", "../outside/a.txt"]:
        named = {"pattern": "*", "below": "", where: text}
        with contextlib.suppress(errors.SentienGuardError, OSError, ValueError):
            found = local.find(file_ports.Selection(root=str(volume), **named))
            assert all((volume / one.path).resolve().is_relative_to(volume) for one in found.files)
            local.delete(str(volume), found.files)
    assert (outside / "a.txt").exists()
    assert not canary.exists()


@pytest.fixture(scope="module")
def database():
    if (why := postgresql.missing()) is not None:
        pytest.skip(why)
    with (
        tempfile.TemporaryDirectory(prefix="sg-") as name,
        postgresql.running() as server,
    ):
        server.execute("CREATE TABLE public.canary AS SELECT 1 AS id, 'sings' AS name")
        server.execute("CREATE TABLE public.taken (name text)")
        secret = Path(name) / "password"
        secret.write_text(f"{server.password}\n")
        declared = access.Declared("postgresql", server.address, postgresql.USER, secret)
        yield access.LocalDatabases({"db": declared})


@pytest.mark.timeout(effort.pick(120, thorough=1_200))
def test_a_statement_is_given_each_value_as_one_bound_text(database, canary):
    texts, taken = chosen(canary), []
    ask = "SELECT $1::text, count(*) FROM public.canary WHERE name = $1"
    act = "INSERT INTO public.taken (name) VALUES ($1)"
    for text in texts:
        try:
            assert database.ask("db", ask, (text,), limit=10).rows == ((text, "0"),)
            taken.append(text)
        except databases.StatementFailed:
            assert "\0" in text, f"{text!r} was no text for the database"
    database.act("db", act, [(one,) for one in taken], limit=60)
    kept = database.ask("db", "SELECT name FROM public.canary", limit=10).rows
    assert kept == (("sings",),)
    found = database.ask("db", "SELECT count(*), count(DISTINCT name) FROM public.taken", limit=10)
    assert found.rows == ((str(len(taken)), str(len(taken))),)
    assert len(taken) > len(texts) / 2
    assert not canary.exists()
