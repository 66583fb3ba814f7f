"""Each proof fails for the playbook, the case or the engine that deserves it, and says where."""

import pytest

from sentienguard.model import order
from sentienguard.playbook import parse
from sentienguard.simulation.proving import proofs, reading, rehearsal
from sentienguard.stages.execute import engine, undo

PLAYBOOK = """
name: web_mend
version: "1.0.0"
description: A remedy of the tests.
match: {system: any, resource: service, symptom: degraded}
risk: WARNING
idempotent: true
parameters:
  service: {type: service}
guard: http_status != 200
steps:
  - name: stop
    action: service
    operation: stop
    service: {param: service}
    rollback: {action: service, operation: start, service: {param: service}}
  - name: change
    action: fs
    operation: set_setting
    file_of: {param: service}
    key: mode
    value: plain
    rollback: {action: fs, operation: restore}
  - name: clean
    action: fs
    operation: clean
    path: /srv/cache
    pattern: "*.old"
    min_age: 1d
    rollback: {skip: what was cached is fetched again}
  - name: start
    action: service
    operation: start
    service: {param: service}
    rollback: {action: service, operation: stop, service: {param: service}}
verification:
  - {name: answers, type: http, url_of: {param: service}, expected_status: 200}
"""
CASE = """
parameters: {service: web}
symptom: http_status != 200
may_change: [/etc/web.conf, "/srv/cache/*.old"]
host:
  volumes:
    /: {size: 1GB}
  files:
    /etc/web.conf: {text: "mode = rich\\n"}
    /srv/cache/a.old: {size: 1MB, age: 2d}
    /srv/cache/b.new: {size: 1MB, age: 2d}
    /var/log/web.log: {text: "ERROR broken\\n", age: 5s}
  services:
    web: {answers: 503, config_file: /etc/web.conf, log_file: /var/log/web.log}
    database: {}
  programs:
    - {run: /usr/bin/true *}
    - {run: /usr/bin/false *, exit: 1}
  reactions:
    - after: service start web
      if: {holds: {/etc/web.conf: mode = plain}}
      then: {answers: {web: 200}}
    - after: service start web
      if: {holds: {/etc/web.conf: mode = rich}}
      then: {answers: {web: 503}}
decoys:
  - name: it_answers
    why: nothing is wrong with it
    host:
      services:
        web: {config_file: /etc/web.conf}
"""
UNDO_OF_STOP = "rollback: {action: service, operation: start, service: {param: service}}"
UNDO_OF_START = "rollback: {action: service, operation: stop, service: {param: service}}"
DECOY = CASE[CASE.index("    why: nothing is wrong") :].rstrip()
VERIFICATION = "  - {name: answers, type: http, url_of: {param: service}, expected_status: 200}\n"


def prove(playbook=PLAYBOOK, case=CASE):
    return proofs.prove(playbook.encode(), case.encode(), origin="web_mend")


def failed(found):
    return {(one.name, one.step): one.reason for one in found if not one.passed}


def test_a_good_playbook_passes_and_each_step_was_broken_off_behind():
    found = prove()
    assert failed(found) == {}
    steps = ["stop", "change", "clean", "start"]
    for name in ("failure", "death"):
        assert [one.step for one in found if one.name == name] == steps
    left = {one.step: one.reason for one in found if one.name == "failure"}
    assert left["change"] == "ROLLED_BACK, all is back"
    assert left["start"] == "PARTIALLY_ROLLED_BACK, left and said: clean"


CASES = [
    ("the step that mends is missing", "value: plain", "value: other", None, None,
     ("heals", "answers"), "found PARTIALLY_ROLLED_BACK"),
    ("a file changes that may not", None, None, ', "/srv/cache/*.old"', "",
     ("heals", ""), "changed beside what it may: /srv/cache/a.old"),
    ("the symptom never stood", None, None, "web: {answers: 503,", "web: {answers: 200,",
     ("heals", ""), "does not stand before the run: http_status is 200"),
    ("the symptom is still there", None, None, "symptom: http_status != 200",
     "symptom: memory_percent < 50", ("heals", ""), "stands after the run: memory_percent is 30"),
    ("a step that never has work", None, None, "/srv/cache/a.old: {size: 1MB, age: 2d}",
     "/srv/cache/a.old: {size: 1MB, age: 1h}", ("steps", "clean"), "the case never needs it"),
    ("a step that is skipped", "    pattern:", "    only_if: memory_percent > 90%\n    pattern:",
     None, None, ("steps", "clean"), "the case never needs it"),
    ("a verification that a second run does not pass", VERIFICATION,
     "  - {name: quiet, type: log_check, log_of: {param: service}, pattern: ERROR}\n", None, None,
     ("twice", ""), "it acted again: service stop web"),
    ("an undo that does the wrong thing", UNDO_OF_STOP, UNDO_OF_START, None, None,
     ("failure", "stop"), "different, and nobody says so: service web"),
    ("an undo that fails", UNDO_OF_STOP, "rollback: /usr/bin/false x", None, None,
     ("failure", "change"), "its undo did not work for stop"),
    ("an undo that does nothing", "rollback: {action: fs, operation: restore}",
     "rollback: /usr/bin/true x", None, None,
     ("failure", "change"), "different, and nobody says so: /etc/web.conf"),
    ("the same seen after a death", "rollback: {action: fs, operation: restore}",
     "rollback: /usr/bin/true x", None, None,
     ("death", "change"), "different, and nobody says so: /etc/web.conf"),
    ("no guard, so the decoy is acted on", "guard: http_status != 200\n", "",
     DECOY,
     "    why: it is slow and people work with it\n    host:\n      levels: {load_1m: 9}",
     ("decoy", "it_answers"), "it acted: service stop web"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "where", "why"),
    [(one[1:5], *one[5:]) for one in CASES],
    ids=[one[0] for one in CASES],
)
def test_what_is_wrong_is_found_where_it_is(changes, where, why):
    old, new, case_old, case_new = changes
    playbook, case = PLAYBOOK, CASE
    if old is not None:
        assert old in playbook
        playbook = playbook.replace(old, new, 1)
    if case_old is not None:
        assert case_old in case
        case = case.replace(case_old, case_new, 1)
    found = failed(prove(playbook, case))
    assert where in found
    assert why in found[where]


def test_a_decoy_that_is_taken_for_healed_is_found():
    case = CASE.replace(DECOY, "    why: nobody knows\n    host: {levels: {load_1m: 1}}")
    assert "it claims a success" in failed(prove(case=case))[("decoy", "it_answers")]


def test_an_engine_that_acts_in_a_dry_run_is_found(monkeypatch):
    monkeypatch.setattr(engine, "_rehearse", engine._perform)
    reason = failed(prove())[("dry run", "")]
    assert "expected DRY_RUN, found SUCCESS" in reason
    assert "it acted: service stop web" in reason


def test_an_engine_that_only_says_it_undid_is_found(monkeypatch):
    monkeypatch.setattr(undo, "everything", lambda *_: undo.Undone(()))
    found = failed(prove())
    assert found[("failure", "stop")] == "different, and nobody says so: service web"
    assert ("death", "change") in found


def test_an_engine_that_acts_although_all_is_well_is_found(monkeypatch):
    monkeypatch.setattr(engine.verification, "already_there", lambda _: False)
    assert "it acted again" in failed(prove())[("twice", "")]


def test_the_executor_s_own_code_judges_and_executes():
    run = rehearsal.Rehearsal(
        PLAYBOOK.encode(), reading.read(CASE.encode(), "case").decoys[0].scene
    )
    ended = run.give(reading.read(CASE.encode(), "case"))
    assert ended.outcome is order.ExecutionOutcome.REFUSED
    assert ended.reason.startswith("guard_holds: ")


WRONG = [
    ("symptom: http_status != 200", "symptom: http_status", "expected a condition"),
    ("symptom: http_status != 200\n", "", "symptom: expected it to be there"),
    ("may_change:", "may_chance:", "did you mean may_change"),
    ("size: 1GB", "size: many", "expected a measure"),
    ("/srv/cache/a.old: {size: 1MB, age: 2d}", "/srv/cache/a.old: {count: 3}", "{n} in the path"),
    ("/etc/web.conf: {text", "web.conf: {text", "expected an absolute path"),
    ("web: {answers: 503", "web: {state: sleepy, answers: 503", "expected one of running"),
    ("exit: 1}", "exit: one}", "expected a whole number"),
    ("  services:\n    web: {ans", "  levels: {disk_usage: 3}\n  services:\n    web: {ans",
     "expected one of cpu_percent"),
    ("  services:\n    web: {ans", "  truths: {cpu_percent: 3}\n  services:\n    web: {ans",
     "expected what no host measures"),
    ("decoys:\n", "decoys: []\nfacts:\n", "decoys: expected at least one decoy"),
    (DECOY, "    why: because",
     "expected a host that differs"),
    ("holds: {/etc/web.conf: mode = rich}", "hold: {/etc/web.conf: mode = rich}",
     "did you mean holds"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_a_case_that_is_wrong_is_refused_with_its_line(old, new, message):
    assert old in CASE
    with pytest.raises(parse.BrokenPlaybook) as refused:
        reading.read(CASE.replace(old, new, 1).encode(), "simulation.yaml")
    text = str(refused.value)
    assert message in text
    assert "simulation.yaml: line " in text


def test_a_case_with_more_files_than_a_machine_should_hold_is_refused():
    many = CASE.replace(
        "/srv/cache/a.old: {size: 1MB, age: 2d}", "/srv/cache/{n}.old: {count: 2000000000}"
    )
    with pytest.raises(parse.BrokenPlaybook, match="at most 20000 files"):
        reading.read(many.encode(), "simulation.yaml")
