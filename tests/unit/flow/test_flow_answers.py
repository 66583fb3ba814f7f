"""Who asked for a playbook by name does not approve it, whatever their name's letters."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from sentienguard.flow import answers
from sentienguard.model.approval import ApprovalStatus
from tests.unit.flow.test_flow_incident import NOW, approval


class Told(Exception):
    """The question was decided."""


def centre(by: str | None) -> Any:
    request = None if by is None else SimpleNamespace(by=by)
    found = SimpleNamespace(anomaly=SimpleNamespace(request=request))

    def decide(*_: object, **__: object) -> None:
        raise Told

    return cast("Any", SimpleNamespace(
        incidents=SimpleNamespace(get=lambda _: found),
        approvals=SimpleNamespace(decide=decide),
        clock=SimpleNamespace(now=lambda: NOW),
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("requester", "status", "by", "refused"),
    [
        ("pat@local", ApprovalStatus.APPROVED, "pat@local", True),
        ("pat@local", ApprovalStatus.APPROVED, "PAT@local", True),
        ("pat@local", ApprovalStatus.APPROVED, "kim@local", False),
        ("pat@local", ApprovalStatus.DENIED, "pat@local", False),
        (None, ApprovalStatus.APPROVED, "pat@local", False),
    ],
)
def test_the_requester_is_not_the_approver(requester, status, by, refused) -> None:
    expected = answers.RequesterCannotApprove if refused else Told
    with pytest.raises(expected):
        answers.answer(
            centre(requester), approval(), status, by=by, note="", about={}, judge=lambda _: ""
        )
