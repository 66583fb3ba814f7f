"""Which kinds of steps and checks a test has a real executor run on the real thing.

A test declares them with `@real_kinds.runs("step service.restart", "check http")`, and is believed
only where they were seen: `execution.Agent` notes what each of its orders really did, and
tests/conftest.py fails a test that ends without what it declared. The names of all that there are
come from the registries of the language, so that a new kind without such a test fails
tests/playbooks/test_real_kinds.py. As a plugin (`-p tests.support.real_kinds`) this file writes
down what the collected tests declare.

Names: `step KIND` of a kind with one operation, `step KIND.OPERATION`, `step KIND.CALL` of what is
done to objects of a cluster or cloud, `check KIND`.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from sentienguard.model.playbook import Action, Playbook
from sentienguard.playbook import kinds, objects

MARK = "runs_kinds"
LISTED = "SENTIENGUARD_TEST_LISTED_KINDS"  # where the plugin writes
SEEN: set[str] = set()  # since the test began


def runs(*names: str) -> pytest.MarkDecorator:
    """Declare what a test has a real executor run. Refuses what no registry knows."""
    strange = set(names) - every()
    assert not strange, f"no such kind: {sorted(strange)}"
    mark: pytest.MarkDecorator = getattr(pytest.mark, MARK)(*names)
    return mark


def every() -> set[str]:
    """Return the name of each kind that may run, but for those that only undo."""
    found = beyond_a_host()
    found |= {f"check {one.name}" for one in kinds.CHECKS.values() if one.available}
    for kind in kinds.STEPS.values():
        for operation in kind.operations:
            if kind.available and not kind.objects_only and not operation.undo_only:
                found.add(_name(kind.name, operation.name))
    return found


def beyond_a_host() -> set[str]:
    """Return those of them that act on an object of a cluster, a cloud or an agentless host."""
    return {_name(act.step, act.call) for act in objects.ACTS}


def declared(item: pytest.Item) -> set[str]:
    """Return what a collected test declares."""
    return {str(name) for mark in item.iter_markers(MARK) for name in mark.args}


def note(remedy: Playbook, events: Iterable[dict[str, Any]], ended: dict[str, Any]) -> None:
    """Note what an order did that ended well; one that ended otherwise shows nothing here."""
    if ended["outcome"] != "SUCCESS":
        return
    done = {
        leaf["data"]["name"]
        for leaf in events
        if leaf["kind"] == "step.done"
        and leaf["data"]["order_id"] == ended["order_id"]
        and leaf["data"]["status"] == "success"
    }
    SEEN.update(_of(step.action) for step in remedy.steps if step.name in done)
    checks = (*remedy.pre_checks, *remedy.verification)  # all of them held, or it were no success
    SEEN.update(f"check {check.kind}" for check in checks)


def _of(action: Action) -> str:
    done = action.fields.get("operation") or action.fields.get("call") or ""
    return _name(action.kind, str(done))


def _name(kind: str, operation: str) -> str:
    return f"step {kind}.{operation}" if operation else f"step {kind}"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write what each collected test declares that may run at all."""
    place = os.environ.get(LISTED)
    if place is not None:
        found = {
            one.nodeid: sorted(declared(one))
            for one in session.items
            if declared(one) and one.get_closest_marker("skip") is None
        }
        Path(place).write_text(json.dumps(found))
