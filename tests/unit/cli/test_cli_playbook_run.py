"""`playbook run`: what is asked of the API, and what the end of it means for the status."""

import contextlib
import json

import pytest

from sentienguard.cli import client, main, run_commands

OPENED = {"id": "inc_1", "summary": "pat asks for web_mend", "status": "OPEN", "outcome": None}


class Api:
    """The API of a story: each look at the incident is the next state."""

    def __init__(self, *states):
        self.posted = []
        self.states = list(states)

    def post(self, path, body=None):
        self.posted.append((path, body))
        return OPENED

    def get(self, path, **_):
        assert path == "/incidents/inc_1"
        return {"incident": self.states.pop(0)}


@pytest.fixture
def api(monkeypatch):
    def use(*states):
        made = Api(*states)
        monkeypatch.setattr(client, "connect", lambda *_, **__: contextlib.nullcontext(made))
        monkeypatch.setattr(run_commands, "LOOK_AGAIN_S", 0)
        return made

    return use


def state(status, outcome=None, summary="on its way"):
    return {"id": "inc_1", "status": status, "outcome": outcome, "summary": summary}


def test_what_is_asked_for_is_sent_as_it_was_written(api, capsys):
    made = api()
    words = ["playbook", "run", "web_mend", "--host", "web-1", "--param", "service=web",
             "--param", "level=a=b", "--dry-run", "--note", "slow"]  # fmt: skip
    assert main.main(words) == 0
    assert made.posted == [
        ("/playbooks/web_mend/runs",
         {"host": "web-1", "parameters": {"service": "web", "level": "a=b"}, "dry_run": True,
          "note": "slow"})
    ]  # fmt: skip
    assert "incidents show inc_1" in capsys.readouterr().out


def test_a_name_cannot_lead_to_another_address(api):
    made = api()
    assert main.main(["playbook", "run", "../users", "--host", "web-1"]) == 0
    assert made.posted[0][0] == "/playbooks/..%2Fusers/runs"


@pytest.mark.parametrize("given", ["service", "=web", "service=web service=db"])
def test_a_parameter_that_is_none_is_refused(api, capsys, given):
    made = api()
    words = [part for one in given.split() for part in ("--param", one)]
    assert main.main(["playbook", "run", "web_mend", "--host", "web-1", *words]) == 1
    assert "expected NAME=VALUE" in capsys.readouterr().err
    assert made.posted == []


ENDS = [
    ("fixed_by_person", "the host verified it", [], 0),
    ("no_action_needed", "nothing to do", [], 0),
    ("rejected", "kim said no", [], 1),
    ("escalated", "execution is frozen", [], 1),
    ("escalated", "dry run only: nothing was changed", ["--dry-run"], 0),
    ("escalated", "dry run only: nothing was changed", [], 1),
    ("failed", "left something behind", [], 1),
]


@pytest.mark.parametrize("end", ENDS)
def test_the_status_says_how_it_ended(api, capsys, end):
    outcome, summary, more, status = end
    api(state("ANALYZING"), state("AWAITING_APPROVAL"), state("CLOSED", outcome, summary))
    words = ["playbook", "run", "web_mend", "--host", "web-1", "--wait", "--json", *more]
    assert main.main(words) == status
    shown = capsys.readouterr()
    assert json.loads(shown.out)["outcome"] == outcome
    assert "AWAITING_APPROVAL" in shown.err
