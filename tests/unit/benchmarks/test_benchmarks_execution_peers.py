"""A peer that did not do the whole work gives no figure."""

import json

import pytest

from benchmarks import execution_peers

RECAP = "localhost : ok={ok} changed=10 unreachable=0 failed={failed} skipped=0"


def salt(results):
    told = {
        f"t{n}": {"result": one, "changes": {"retcode": 0 if one else 1}}
        for n, one in enumerate(results)
    }
    return json.dumps({"local": told})


def program(tmp_path, name, printed, status=0):
    """Make a program that prints its version, or else what it is told to."""
    made = tmp_path / name
    made.write_text(
        f"#!/bin/sh\n[ \"$1\" = --version ] && echo {name} 1.0 && exit\ncat <<'END'\n{printed}\n"
        f"END\nexit {status}\n"
    )
    made.chmod(0o755)
    return str(made)


def ready(tmp_path, printed_by_ansible, printed_by_salt, status=0):
    options = {
        "ansible_playbook": program(tmp_path, "ansible", printed_by_ansible, status),
        "salt_call": program(tmp_path, "salt", printed_by_salt, status),
    }
    (tmp_path / "place").mkdir()
    return execution_peers.ready(options, tmp_path / "place", "/bin/true")


def test_ten_that_ended_well_are_a_run(tmp_path):
    peers = ready(tmp_path, RECAP.format(ok=10, failed=0), salt([True] * 10))
    for peer in peers.values():
        assert peer.run().wall > 0
    assert peers["salt-call"].version == "salt 1.0"


WRONG = [
    (RECAP.format(ok=9, failed=0), salt([True] * 9), 0),
    (RECAP.format(ok=10, failed=1), salt([True] * 9 + [False]), 0),
    (RECAP.format(ok=10, failed=0), salt([True] * 10), 2),
]


@pytest.mark.parametrize(("ansible", "salt_said", "status"), WRONG)
def test_anything_less_is_none(tmp_path, ansible, salt_said, status):
    for peer in ready(tmp_path, ansible, salt_said, status).values():
        with pytest.raises(RuntimeError, match="ran not all of 10"):
            peer.run()


def test_one_that_is_not_installed_says_how_to_name_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert execution_peers.ready({}, tmp_path, "/bin/true") == {
        "ansible-playbook": "not on PATH; --set ansible_playbook=PATH names it",
        "salt-call": "not on PATH; --set salt_call=PATH names it",
    }
