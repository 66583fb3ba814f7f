"""Changed settings under a real executor: no order runs, everything else does."""

import pytest

from sentienguard.playbook import parse

pytestmark = pytest.mark.integration
WITHIN_S = 10.0  # the promise is 60; it glances at the settings every second
NOTHING = b"""
name: nothing
version: "1.0.0"
description: Does nothing; a playbook of the tests.
match: {system: linux, resource: disk, symptom: full}
risk: SAFE
steps:
  - {name: nothing, action: ssh_command, command: /bin/true, rollback: {skip: it does nothing}}
verification:
  - {name: never, type: condition, condition: "disk_usage > 100%", retry: 1}
"""


def alarms(agent):
    return [one["data"] for one in agent.events() if one["kind"] == "agent.alarm"]


@pytest.mark.timeout(120)
def test_changed_settings_stop_execution_until_they_are_back_and_are_told(make_agent):
    agent = make_agent()
    agent.start()
    assert agent.configure(NOTHING)["accepted"]
    before = agent.ask("hello")
    assert (before["drift"], before["frozen"]) == ("", False)
    file = agent.directory / "agent.json"
    stored = file.read_bytes()
    file.write_bytes(stored.replace(b'"tags": {}', b'"tags": {"a": "b"}'))
    drifted = agent.wait(lambda: (found := agent.ask("hello"))["frozen"] and found, WITHIN_S)
    assert "agent.json" in drifted["drift"]
    assert drifted["settings_digest"] != before["settings_digest"]
    refused = agent.send(parse.load(NOTHING, origin="test"))
    assert (refused["admitted"], refused["rule"]) == (False, "not_forbidden")
    [alarm] = agent.wait(lambda: alarms(agent))
    assert alarm["what"] == "files_changed"
    assert alarm["settings_digest"] == drifted["settings_digest"]
    file.write_bytes(stored)
    agent.wait(lambda: not agent.ask("hello")["frozen"], WITHIN_S)


def test_a_start_with_other_settings_runs_and_tells_of_the_change(make_agent):
    agent = make_agent()
    agent.start()
    agent.stop()
    file = agent.directory / "agent.json"
    file.write_bytes(file.read_bytes().replace(b'"tags": {}', b'"tags": {"a": "b"}'))
    agent.start()
    assert not agent.ask("hello")["frozen"]
    [alarm] = agent.wait(lambda: alarms(agent))
    assert "since the executor last started: settings_digest" in alarm["reason"]
