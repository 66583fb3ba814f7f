"""What `incidents show` says of a diagnosis: no more than the diagnosis said."""

from typing import Any

import pytest

from sentienguard.cli import diagnosis_view


def suspect(*path: str, cause: str = "network") -> dict[str, Any]:
    return {
        "object": path[0],
        "cause": cause,
        "score": 0.6,
        "share": 1.0,
        "path": list(path),
        "evidence": ["system.tcp_retransmit_percent went from 0 to 0.26"],
        "against": [],
    }


def told(**changed: Any) -> dict[str, Any]:
    return {
        "asked": True,
        "abstained": "",
        "absent": "",
        "confidence": 0.61,
        "sure": True,
        "first": None,
        "runner_up": None,
        "changes": [],
        "blame": None,
    } | changed


ALONE, ON_THE_WAY = suspect("host:vm"), suspect("host:db-1", "service:orders")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (told(asked=False), ""),
        (told(absent="no readings"), "cause     no diagnosis: no readings"),
        (told(abstained="nothing moved"), "cause     nobody is blamed: nothing moved"),
        (
            told(first=ON_THE_WAY),
            "cause     host:db-1 -> service:orders (network; confidence 0.61, explains 100%)",
        ),
        (
            told(first=ALONE),
            "cause     host:vm itself, where it is seen (network; confidence 0.61, explains 100%)",
        ),
        (
            told(first=ALONE, confidence=0.46, sure=False),
            (
                "cause     not established; nothing points beyond host:vm, where it is seen "
                "(confidence 0.46, too low to go by)"
            ),
        ),
        (
            told(first=ON_THE_WAY, confidence=0.3, sure=False),
            (
                "cause     not established; a hint is host:db-1 -> service:orders "
                "(confidence 0.30, too low to go by)"
            ),
        ),
        (
            told(first=suspect("host:\x1b[31m")),
            (
                "cause     host:\ufffd[31m itself, where it is seen "
                "(network; confidence 0.61, explains 100%)"
            ),
        ),
    ],
    ids=[
        *("nobody looked", "no diagnosis", "it abstains", "a way", "where it is seen"),
        *("an unsure place", "an unsure way", "a name that would colour the terminal"),
    ],
)
def test_the_first_line_says_what_the_diagnosis_said(found: dict[str, Any], said: str) -> None:
    assert next(diagnosis_view.lines(found), "") == said


def test_what_speaks_for_it_stands_below() -> None:
    assert "  for     system.tcp_retransmit_percent went from 0 to 0.26" in list(
        diagnosis_view.lines(told(first=ALONE))
    )
