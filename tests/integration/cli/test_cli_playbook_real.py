"""`playbook test --real`: the same proofs on a service that really hangs."""

import json

import pytest

from sentienguard.cli import main

pytestmark = pytest.mark.integration


def test_a_hung_service_is_mended_by_a_real_executor(capsys):
    assert main.main(["playbook", "test", "service_restart_hung", "--real", "--json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    real = {one["name"]: one["reason"] for one in item["proofs"] if one["name"].startswith("real")}
    assert real["real: dry run"].startswith("DRY_RUN, gone False, changed nothing")
    assert real["real: heals"].startswith("SUCCESS, gone True, changed nothing")
    assert set(real) == {"real: dry run", "real: heals", "real: twice"}


def test_a_playbook_that_no_drill_has_a_fault_for_is_said_not_to_be_tried(capsys):
    assert main.main(["playbook", "test", "clock_resync", "--real", "--json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert item["proofs"][-1]["reason"].startswith("not tried")
