"""Faults that are really put on this machine, in a directory of the test, and cleaned up again."""

import os
import signal
import sys
import time

import pytest

from sentienguard.adapters.local_host import procfs
from sentienguard.agent import settings as agent_settings
from sentienguard.cli.drills import library, web_service
from sentienguard.cli.installation import bundled, places, ports, processes, sandbox, up
from sentienguard.model import errors

pytestmark = pytest.mark.integration


@pytest.fixture
def box(tmp_path, monkeypatch):
    """A sandbox with a budget, as it is where mounting is not allowed; its services run."""
    monkeypatch.setattr(sandbox, "_mount", lambda volume: volume.mkdir(exist_ok=True) or False)
    made = sandbox.raise_up(tmp_path / "sandbox")
    try:
        yield made
    finally:
        sandbox.take_down(made)


@pytest.mark.parametrize("name", library.DRILLS)
def test_a_fault_is_there_after_injection_and_gone_after_cleaning_up(box, name):
    drill = library.DRILLS[name](box)
    drill.clean_up()
    assert not drill.is_present()
    assert drill.inject()
    assert drill.is_present()
    drill.clean_up()
    drill.clean_up()  # again: nothing to do
    assert not drill.is_present()
    assert box.used_percent() < 5
    assert [one.status() for one in box.services.values()] == [200, 200]


@pytest.mark.parametrize("name", library.DRILLS)
def test_a_fault_leaves_alone_what_it_says_it_does(box, name):
    drill = library.DRILLS[name](box)
    drill.clean_up()
    drill.inject()
    before = drill.facts()
    try:
        assert before == drill.facts()
        assert all(value and "gone" not in value for value in before.values())
    finally:
        drill.clean_up()


def test_the_volume_is_full_of_old_logs_beside_files_that_must_stay(box):
    drill = library.DRILLS["disk-full"](box)
    drill.inject()
    logs = box.volume / "logs"
    old = sorted(logs.glob("app.log.[1-9]*"))
    assert len(old) == 12
    assert all(time.time() - log.stat().st_mtime > 9 * 86_400 for log in old)
    before = drill.facts()
    for log in old:
        log.unlink()
    assert drill.is_gone()
    assert drill.facts() == before
    (logs / "app.log.0").unlink()
    assert drill.facts() != before


@pytest.mark.parametrize("parameters", [{"percent": 100}, {"percent": 50}, {"files": 0}])
def test_parameters_out_of_bounds_are_refused(box, parameters):
    with pytest.raises(errors.Rejected, match="expected a whole number"):
        library.DRILLS["disk-full"](box, **parameters)


def test_a_hung_service_accepts_and_does_not_answer(box):
    drill = library.DRILLS["service-hung"](box)
    drill.inject()
    web = box.services["drill-web"]
    assert web.state() == "T"
    assert web.status(0.3) == 0
    assert box.services["drill-api"].status() == 200


def test_safe_mode_helps_the_degraded_service_and_not_the_broken_one(box):
    for name, expected in (("service-degraded", 200), ("service-broken-fix", 503)):
        drill = library.DRILLS[name](box)
        drill.inject()
        service = box.services[drill.broken]
        service.stop()
        text = service.config.read_text().replace("safe_mode = off", "safe_mode = on")
        service.config.write_text(text)
        service.start()
        assert service.status() == expected
        drill.clean_up()
        assert service.status() == 200


def test_a_service_is_what_its_pid_file_and_its_command_line_both_say(box):
    web = box.services["drill-web"]
    assert web.process() is not None
    web.pid_file.write_text(f"{os.getpid()}\n")
    assert web.process() is None  # never mistaken for this test, and so never stopped
    assert not web.stop()
    web.pid_file.write_text("no number")
    assert web.process() is None
    for found in procfs.pids():
        if str(web.config) in processes.command_line(found):
            web.pid_file.write_text(f"{found}\n")
            break
    assert web.stop()


def test_agent_json_accepts_what_the_sandbox_declares(box):
    services = box.declared_services(sys.executable)
    assert set(services) == {"drill-web", "drill-api"}
    (volume,) = box.declared_volumes()
    assert volume == agent_settings.Volume(str(box.volume), sandbox.VOLUME_BYTES)
    assert all(one.start[0].startswith("/") for one in services.values())


def test_a_remembered_process_is_not_another_one_with_the_same_number(tmp_path):
    me = processes.known(os.getpid())
    file = tmp_path / "p.json"
    processes.remember(file, me)
    assert processes.remembered(file) == me
    processes.remember(file, processes.Known(me.pid, me.started + 1))
    assert processes.remembered(file) is None
    assert not processes.Known(me.pid, me.started + 1).send(signal.SIGKILL)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": "x", "started": 1}'])
def test_a_broken_process_file_names_nothing(tmp_path, content):
    file = tmp_path / "p.json"
    file.write_text(content)
    assert processes.remembered(file) is None


def test_a_program_that_ends_at_once_shows_its_last_words(tmp_path):
    log = tmp_path / "log"
    process = processes.launch(["sentienguard.cli.drills.web_service", "--config", "/none"], log)
    assert processes.wait_gone(process, 10)
    assert "No such file" in processes.tail(log)


@pytest.mark.parametrize(
    "line", ["port", "port = many\n", "colour = red\n", "name = x\nport = 1\n"]
)
def test_a_wrong_configuration_of_the_drill_service_is_refused(line):
    with pytest.raises(web_service.ConfigWrong, match=r"service\.conf"):
        web_service.parse(line, "service.conf")


def test_a_configuration_survives_being_edited_by_a_playbook():
    values = {
        "name": "x", "port": "80", "log_file": "/l", "dependency": "/d", "safe_mode": "off",
    }  # fmt: skip
    text = web_service.render(values)
    assert not web_service.parse(text, "f").safe_mode
    for edited in ("safe_mode=on", "safe_mode = on", 'safe_mode = "on"'):
        assert web_service.parse(text.replace("safe_mode = off", edited), "f").safe_mode


def test_a_taken_port_is_passed_over():
    import socket

    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, 0))
        taken.listen()
        number = taken.getsockname()[1]
        assert ports.free(number) != number


def test_settings_that_the_owner_changed_stay(tmp_path):
    ports.write_settings(tmp_path, {"people_port": 1, "interval_s": 30.0})
    ports.change_settings(tmp_path, {"interval_s": 5.0})
    ports.write_settings(tmp_path, {"people_port": 2, "interval_s": 30.0})
    assert ports.read_settings(tmp_path) == {"people_port": 1, "interval_s": 5.0}


def test_the_bundled_playbooks_hold_every_remedy_that_a_drill_expects():
    stored = bundled.playbooks()
    assert len(stored) >= 12
    for made in library.DRILLS.values():
        assert f"playbooks/{made.expected.playbook}/playbook.yaml" in stored


def test_a_proving_record_counts_only_for_the_bytes_it_was_measured_with(tmp_path, monkeypatch):
    playbook = tmp_path / "x"
    playbook.mkdir()
    (playbook / "playbook.yaml").write_bytes(b"name: x\n")
    (playbook / "proving.json").write_text(
        '{"playbook": "x", "version": "1.0.0", "digest": "sha256:' + "0" * 64 + '", "proven": []}'
    )
    monkeypatch.setattr(bundled, "directory", lambda: tmp_path)
    assert bundled.proving() == []
    (playbook / "proving.json").write_text("{}")
    with pytest.raises(bundled.NotBundled, match=r"proving\.json"):
        bundled.proving()


def test_two_ups_do_not_work_on_one_directory_at_once(tmp_path):
    here = places.Places(tmp_path)
    here.make()
    with up._alone(here), pytest.raises(errors.Unavailable, match="another"), up._alone(here):
        pass
    assert up.take_down(here) == []
