"""A real executor process, spoken to over its socket as the collector would."""

import base64
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from sentienguard.agent import lean
from sentienguard.model import ids
from sentienguard.playbook import parse
from sentienguard.trust import order as orders
from tests.support import execution

pytestmark = pytest.mark.integration

CLEAN = """
name: clean_up
version: "1.0.0"
description: Disk full, removes old files of a test directory.
match: {system: linux, resource: disk, symptom: full}
risk: SAFE
idempotent: true
max_per_hour: 50
parameters:
  mount: {type: mountpoint}
guard: disk_usage > 50%
steps:
  - name: clean
    action: fs
    operation: clean
    path: {param: mount}
    pattern: "*.old"
    min_age: 1h
    rollback: {skip: deleted files are gone for good}
verification:
  - {name: space, type: metric, metric: disk_usage, threshold: "< 50%", retry: 1}
"""
SCRIPT = """#!/bin/sh
# Says that it ran, waits where the test put a fifo, and ends with the status that the test wrote.
cd {place}
echo "$1" >> ran
echo $$ > "pid-$1"
[ -p "block-$1" ] && cat "block-$1"
[ -f "status-$1" ] && exit "$(cat "status-$1")"
exit 0
"""
STEPS = """
name: three_steps
version: "1.0.0"
description: Runs three programs of the tests.
match: {system: linux, resource: service, symptom: down}
risk: WARNING
idempotent: true
max_per_hour: 50
pre_execution_checks:
  - {name: before, type: command, command: "SCRIPT before", timeout: 50s}
steps:
  - name: one
    action: ssh_command
    command: "SCRIPT one"
    verification:
      - {name: between, type: command, command: "SCRIPT between", timeout: 50s, retry: 1}
    rollback: "SCRIPT undo_one"
  - {name: two, action: ssh_command, command: "SCRIPT two", rollback: "SCRIPT undo_two"}
  - {name: three, action: ssh_command, command: "SCRIPT three", rollback: "SCRIPT undo_three"}
verification:
  - {name: after, type: command, command: "SCRIPT after", timeout: 50s, retry: 1}
"""


@pytest.fixture
def scripts(tmp_path):
    """A playbook of programs that can be held up, and what they wrote."""
    place = tmp_path / "scripts"
    place.mkdir()
    script = place / "step.sh"
    script.write_text(SCRIPT.replace("{place}", str(place)))
    script.chmod(0o755)
    return Scripts(place, STEPS.replace("SCRIPT", str(script)).encode())


class Scripts:
    def __init__(self, place: Path, stored: bytes):
        self.place = place
        self.stored = stored
        self.remedy = parse.load(stored, origin="test")
        self.ends("after", 1)  # as long as nothing has been done, the symptom is there

    def block(self, name):
        os.mkfifo(self.place / f"block-{name}")

    def unblock(self, name):
        (self.place / f"block-{name}").unlink()

    def ends(self, name, status):
        (self.place / f"status-{name}").write_text(str(status))

    @property
    def ran(self):
        """What ran, without the look before everything that finds nothing to do."""
        try:
            return (self.place / "ran").read_text().split()
        except FileNotFoundError:
            return []

    def waits_in(self, name):
        return name in self.ran and (self.place / f"pid-{name}").exists()


@pytest.fixture
def agent(make_agent, tmp_path):
    volume = tmp_path / "volume"
    volume.mkdir()
    made = make_agent(volumes=[{"path": str(volume), "budget_bytes": 1_000_000}])
    made.volume = volume
    made.start()
    return made


def fill(agent, count=9):
    for n in range(count):
        path = agent.volume / f"{n}.old"
        path.write_bytes(b"x" * 100_000)
        os.utime(path, (10**9, 10**9))


@pytest.fixture
def clean(agent):
    assert agent.configure(CLEAN.encode())["accepted"]
    fill(agent)
    return parse.load(CLEAN.encode(), origin="test")


def mount(agent):
    return {"mount": str(agent.volume)}


def test_an_order_runs_and_every_event_of_it_is_signed_in_a_chain(agent, clean):
    answer = agent.send(clean, parameters=mount(agent))
    assert answer["admitted"], answer
    assert agent.finished(answer["order_id"])["outcome"] == "SUCCESS"
    assert list(agent.volume.iterdir()) == []
    previous = ""
    for number, one in enumerate(agent.ask("events", after=0, wait_s=0)["events"], 1):
        leaf = json.loads(one["leaf"])
        assert (leaf["src_seq"], leaf["src_prev"]) == (number, previous)
        signature = base64.b64decode(one["sig"])
        assert agent.key.public.verify(signature, one["leaf"].encode())
        previous = ids.digest(one["leaf"].encode()).removeprefix("sha256:")


def test_events_are_entries_that_the_audit_log_takes(agent, clean):
    from sentienguard.stages.audit import entry

    answer = agent.send(clean, parameters=mount(agent))
    agent.finished(answer["order_id"])
    agent.ask("attempt", command="rm -rf /", user="mallory\n")
    for one in agent.ask("events", after=0, wait_s=0)["events"]:
        entry.read(one["leaf"].encode())
        entry.with_signature(one["leaf"].encode(), base64.b64decode(one["sig"]))


def test_a_known_order_is_answered_and_never_run_again(agent, clean):
    first = agent.send(clean, parameters=mount(agent))
    agent.finished(first["order_id"])
    fill(agent)
    again = agent.send(clean, parameters=mount(agent))
    assert again == first
    agent.stop()
    agent.start()
    assert agent.send(clean, parameters=mount(agent)) == first
    assert len(list(agent.volume.iterdir())) == 9
    assert len([one for one in agent.events() if one["kind"] == "order.admitted"]) == 1


def test_an_order_replayed_or_forged_is_refused_and_told_as_an_alarm(agent, clean):
    nonce = agent.ask("ticket")["nonce"]
    signed = agent.centre.order(clean, nonce=nonce, parameters=mount(agent))
    forged = agent.centre.seal(signed, dispatch=execution.key(66))
    assert agent.ask("order", envelope=forged)["rule"] == "signed_by_dispatch"
    assert agent.ask("order", envelope=agent.centre.seal(signed))["rule"] == "answers_a_ticket"
    assert agent.ask("order", envelope={"payload": "x"})["rule"] == "form"
    kinds = [(one["kind"], one["incident"]) for one in agent.events()]
    assert kinds == [("agent.alarm", "")] * 3
    assert agent.send(clean, parameters=mount(agent))["admitted"]  # none of it spoiled the order


def test_a_refused_order_stays_refused(agent, clean):
    refused = agent.send(clean, parameters={"mount": "/etc"})
    assert refused["rule"] == "parameters"
    assert agent.send(clean, parameters={"mount": "/etc"}) == refused
    (event,) = agent.events()
    assert (event["kind"], event["data"]["rule"]) == ("order.refused", "parameters")


def test_a_marked_host_executes_nothing(agent, clean):
    (agent.directory / "do-not-remediate").touch()
    assert agent.ask("hello")["frozen"]
    assert agent.send(clean, parameters=mount(agent))["rule"] == "not_forbidden"
    assert len(list(agent.volume.iterdir())) == 9


def test_a_marker_ends_the_running_step_with_its_processes_and_undoes_what_ran(agent, scripts):
    agent.configure(scripts.stored)
    scripts.block("two")
    answer = agent.send(scripts.remedy)
    agent.wait(lambda: scripts.waits_in("two"))
    (agent.directory / "do-not-remediate").touch()
    ended = agent.finished(answer["order_id"], 5)
    assert ended["outcome"] == "ROLLED_BACK"
    assert "do-not-remediate" in ended["reason"]
    assert scripts.ran[-2:] == ["undo_two", "undo_one"]
    assert "three" not in scripts.ran
    assert execution.processes_with("block-two") == []


def test_a_false_guard_refuses(agent, clean):
    for path in agent.volume.iterdir():
        path.unlink()
    assert agent.send(clean, parameters=mount(agent))["rule"] == "guard_holds"


def test_a_dry_run_changes_nothing(agent, clean):
    answer = agent.send(clean, parameters=mount(agent), dry_run=True)
    assert agent.finished(answer["order_id"])["outcome"] == "DRY_RUN"
    assert len(list(agent.volume.iterdir())) == 9
    (step,) = [one["data"] for one in agent.events() if one["kind"] == "step.done"]
    assert step["status"] == "would_run"
    assert f'"path={agent.volume}"' in step["detail"]


def test_acknowledged_events_are_forgotten_and_the_numbers_go_on(agent, clean):
    answer = agent.send(clean, parameters=mount(agent))
    agent.finished(answer["order_id"])
    last = agent.ask("hello")["last_seq"]
    assert agent.ask("acked", through=last) == {"through": last}
    assert agent.ask("acked", through=10**6) == {"through": last}
    agent.stop()
    agent.start()
    assert agent.events() == []
    agent.ask("attempt", command="id", user="pat")
    (event,) = agent.events(last)
    assert (event["src_seq"], event["kind"]) == (last + 1, "playbook.tried")


def test_while_an_order_runs_tickets_and_greetings_are_answered_and_others_refused(agent, scripts):
    agent.configure(scripts.stored)
    scripts.block("two")
    answer = agent.send(scripts.remedy)
    agent.wait(lambda: scripts.waits_in("two"))
    assert agent.ask("hello")["busy"] == answer["order_id"]
    other = ids.IncidentId("inc_20260212_112601_00000001")
    assert agent.send(scripts.remedy, incident=other)["rule"] == "one_at_a_time"
    assert agent.stop_order("ord_0000000000000000")["stopping"] is False
    assert agent.stop_order(answer["order_id"]) == {"stopping": True, "reason": ""}
    finished = agent.finished(answer["order_id"])
    assert finished["outcome"] == "ROLLED_BACK"
    assert "stopped" in finished["reason"]
    assert scripts.ran[-2:] == ["undo_two", "undo_one"]
    assert execution.processes_with(str(scripts.place)) == []
    assert agent.send(scripts.remedy, incident=other)["admitted"]


def test_a_stop_that_is_forged_or_replayed_stops_nothing(agent, scripts):
    agent.configure(scripts.stored)
    scripts.block("two")
    order_id = agent.send(scripts.remedy)["order_id"]
    agent.wait(lambda: scripts.waits_in("two"))
    nonce = agent.ask("ticket")["nonce"]
    stop = orders.SignedStop(ids.OrderId(order_id), execution.AGENT, nonce, 99, "eve")
    forged = orders.seal_stop(stop, execution.key(66))
    assert not agent.ask("stop", envelope=forged)["stopping"]
    old = orders.SignedStop(ids.OrderId(order_id), execution.AGENT, "cd" * 16, 99, "eve")
    assert not agent.ask("stop", envelope=orders.seal_stop(old, agent.centre.dispatch))["stopping"]
    low = orders.SignedStop(ids.OrderId(order_id), execution.AGENT, nonce, 1, "eve")
    assert not agent.ask("stop", envelope=orders.seal_stop(low, agent.centre.dispatch))["stopping"]
    assert agent.ask("hello")["busy"] == order_id
    agent.stop_order(order_id)
    agent.finished(order_id)


# -- kill -9 ---------------------------------------------------------------------------------------

FORWARD = ["before", "one", "between", "two", "three", "after"]


@pytest.mark.parametrize(
    ("stage", "fixed", "ends"),
    [
        ("before", False, ("ABORTED", [])),
        ("one", False, ("ROLLED_BACK", ["undo_one"])),
        ("one", True, ("SUCCESS", [])),
        ("between", False, ("ROLLED_BACK", ["undo_one"])),
        ("two", False, ("ROLLED_BACK", ["undo_two", "undo_one"])),
        ("two", True, ("SUCCESS", [])),
        ("three", False, ("ROLLED_BACK", ["undo_three", "undo_two", "undo_one"])),
        ("after", False, ("ROLLED_BACK", ["undo_three", "undo_two", "undo_one"])),
        ("after", True, ("SUCCESS", [])),
    ],
)
def test_kill_9_at_each_stage_ends_well_and_runs_nothing_twice(agent, scripts, stage, fixed, ends):
    outcome, undone = ends
    agent.configure(scripts.stored)
    if stage == "after":
        scripts.block("three")  # the first look must not be the one that is held up
    else:
        scripts.block(stage)
    order_id = agent.send(scripts.remedy)["order_id"]
    if stage == "after":
        agent.wait(lambda: scripts.waits_in("three"))
        scripts.block("after")
        (scripts.place / "pid-after").unlink()
        with (scripts.place / "block-three").open("w"):
            pass
    agent.wait(lambda: scripts.waits_in(stage))
    time.sleep(0.05)
    agent.kill()
    scripts.unblock(stage)
    scripts.ends("after", 0 if fixed else 1)
    agent.start()
    finished = agent.finished(order_id)
    assert finished["outcome"] == outcome
    assert execution.processes_with(str(scripts.place)) == []
    for name in ("one", "two", "three"):
        assert scripts.ran.count(name) <= 1
    assert [name for name in scripts.ran if name.startswith("undo")] == undone
    kinds = [one["kind"] for one in agent.events()]
    assert kinds.count("order.admitted") == kinds.count("order.finished") == 1
    assert agent.ask("hello")["busy"] is None


def test_kill_9_in_an_undo_goes_on_undoing_even_when_killed_again(agent, scripts):
    agent.configure(scripts.stored)
    scripts.ends("three", 7)
    scripts.block("undo_two")
    order_id = agent.send(scripts.remedy)["order_id"]
    for _ in range(3):
        agent.wait(lambda: scripts.waits_in("undo_two"))
        (scripts.place / "pid-undo_two").unlink()
        agent.kill()
        agent.start()
    agent.wait(lambda: scripts.waits_in("undo_two"))
    with (scripts.place / "block-undo_two").open("w"):
        pass
    assert agent.finished(order_id)["outcome"] == "ROLLED_BACK"
    assert scripts.ran.count("undo_three") == 1
    assert scripts.ran[-1] == "undo_one"
    assert [scripts.ran.count(name) for name in ("one", "two", "three")] == [1, 1, 1]
    assert execution.processes_with(str(scripts.place)) == []


def test_kill_9_leaves_no_process_that_ran_away_from_its_group(agent, scripts):
    agent.configure(scripts.stored)
    script = scripts.place / "step.sh"
    away = f'[ "$1" = two ] && setsid sleep 300.0{os.getpid()} &\n'
    script.write_text(script.read_text().replace("echo $$", away + "echo $$"))
    scripts.block("two")
    order_id = agent.send(scripts.remedy)["order_id"]
    agent.wait(lambda: scripts.waits_in("two"))
    agent.wait(lambda: execution.processes_with(f"300.0{os.getpid()}"))
    agent.kill()
    scripts.unblock("two")
    agent.start()
    agent.finished(order_id)
    assert execution.processes_with(f"300.0{os.getpid()}") == []


def test_told_to_end_it_stops_and_undoes_what_runs(agent, scripts):
    agent.configure(scripts.stored)
    scripts.block("two")
    order_id = agent.send(scripts.remedy)["order_id"]
    agent.wait(lambda: scripts.waits_in("two"))
    assert agent.stop() == 0
    assert scripts.ran[-2:] == ["undo_two", "undo_one"]
    agent.start()
    assert agent.finished(order_id)["outcome"] == "ROLLED_BACK"


def test_a_playbook_dropped_from_the_catalogue_can_still_be_undone(agent, scripts):
    agent.configure(scripts.stored)
    scripts.block("two")
    order_id = agent.send(scripts.remedy)["order_id"]
    agent.wait(lambda: scripts.waits_in("two"))
    assert agent.configure(version=2)["accepted"]
    agent.kill()
    scripts.unblock("two")
    agent.start()
    assert agent.finished(order_id)["outcome"] == "ROLLED_BACK"
    assert scripts.ran[-2:] == ["undo_two", "undo_one"]


def _run(argv):
    environment = lean.environment()
    return subprocess.run(argv, env=environment, stderr=subprocess.PIPE, timeout=30, check=False)


def test_two_executors_never_share_a_directory(agent):
    argv = lean.command("executor", agent.directory)
    second = subprocess.run(
        argv, env=lean.environment(), stderr=subprocess.PIPE, timeout=30, check=False
    )
    assert second.returncode == 1
    assert b"another executor" in second.stderr
    assert agent.ask("hello")["agent_id"] == execution.AGENT


def test_a_damaged_journal_stops_the_executor_and_says_so(agent, clean):
    answer = agent.send(clean, parameters=mount(agent))
    agent.finished(answer["order_id"])
    agent.kill()
    journal = agent.directory / "executor" / "journal.log"
    data = bytearray(journal.read_bytes())
    data[30] ^= 1
    journal.write_bytes(bytes(data))
    argv = lean.command("executor", agent.directory)
    run = subprocess.run(
        argv, env=lean.environment(), stderr=subprocess.PIPE, timeout=30, check=False
    )
    assert run.returncode == 1
    assert b"damaged" in run.stderr


def restarted(agent):
    """Run an executor that has nothing to serve with; return how it ended."""
    argv = lean.command("executor", agent.directory)
    return subprocess.run(
        argv, env=lean.environment(), stderr=subprocess.PIPE, timeout=30, check=False
    )


def test_a_journal_that_was_deleted_while_nothing_ran_stops_the_start(agent, clean):
    answer = agent.send(clean, parameters=mount(agent))
    agent.finished(answer["order_id"])
    agent.kill()
    (agent.directory / "executor" / "journal.log").unlink()
    for _ in range(2):  # the first attempt must not leave a file that the second takes for it
        run = restarted(agent)
        assert run.returncode == 1
        assert b"enroll --replace" in run.stderr


def test_an_installation_from_before_the_mark_starts_and_is_marked(agent, clean):
    answer = agent.send(clean, parameters=mount(agent))
    agent.finished(answer["order_id"])
    agent.kill()
    state = agent.directory / "executor" / "state.json"
    kept = json.loads(state.read_bytes())
    del kept["journal"]
    state.write_text(json.dumps(kept))
    agent.start()
    assert agent.send(clean, parameters=mount(agent))["order_id"] == answer["order_id"]
    agent.kill()
    (agent.directory / "executor" / "journal.log").unlink()
    assert restarted(agent).returncode == 1


def test_a_journal_that_is_deleted_under_a_running_executor_forgets_nothing(agent, clean):
    answer = agent.send(clean, parameters=mount(agent))
    agent.finished(answer["order_id"])
    last = agent.events()[-1]["src_seq"]
    (agent.directory / "executor" / "journal.log").unlink()
    old = time.time() - 9 * 86400
    (agent.volume / "more.old").write_bytes(b"x" * 900_000)
    os.utime(agent.volume / "more.old", (old, old))
    other = ids.IncidentId("inc_20260212_112600_0000beef")
    refused = agent.send(clean, parameters=mount(agent), incident=other)
    assert refused["rule"] == "journal_works"
    assert "was removed" in refused["reason"]
    assert agent.process.wait(10) == 1, "whoever supervises it starts it again"
    assert (agent.volume / "more.old").exists()
    agent.process = None
    agent.start()
    alarms = [one for one in agent.events() if one["kind"] == "agent.alarm"]
    assert [(one["data"]["what"], one["src_seq"]) for one in alarms] == [
        ("journal_failed", last + 1)
    ]
    assert "was removed" in alarms[0]["data"]["reason"]
    assert agent.send(clean, parameters=mount(agent))["admitted"], "the same order, known"
    following = agent.send(clean, parameters=mount(agent), incident=other)
    assert agent.finished(following["order_id"])["outcome"] == "SUCCESS"


def test_a_remedy_that_deletes_its_own_journal_is_undone_and_reported(agent, scripts):
    agent.configure(scripts.stored)
    scripts.block("one")
    answer = agent.send(scripts.remedy)
    agent.wait(lambda: scripts.waits_in("one"))
    (agent.directory / "executor" / "journal.log").unlink()  # as the step's program would
    with (scripts.place / "block-one").open("w"):
        pass
    assert agent.process.wait(10) == 1
    assert "two" not in scripts.ran, "nothing further runs"
    agent.process = None
    agent.start()
    ended = agent.finished(answer["order_id"])
    assert ended["outcome"] == "ROLLED_BACK"
    assert "cut off" in ended["reason"]
    numbers = [one["src_seq"] for one in agent.events()]
    assert numbers == list(range(1, len(numbers) + 1)), "no second event bears a number"


def test_a_new_identity_begins_a_journal_of_its_own_and_keeps_the_old_one_beside(agent, clean):
    answer = agent.send(clean, parameters=mount(agent))
    agent.finished(answer["order_id"])
    agent.kill()
    file = agent.directory / "agent.json"
    record = json.loads(file.read_bytes())
    file.write_text(json.dumps({**record, "agent_id": "99999999-2222-4333-8444-555555555555"}))
    process = subprocess.Popen(lean.command("executor", agent.directory), env=lean.environment())
    agent.process = process
    agent.wait(lambda: agent.ask("hello").get("last_seq"))
    event = agent.events()[0]
    assert (event["src_seq"], event["data"]["what"]) == (1, "journal_set_aside")
    assert (agent.directory / f"executor/journal.log.{execution.AGENT}").exists()
