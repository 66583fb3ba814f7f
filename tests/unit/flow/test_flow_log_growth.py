"""Proofs of the log's growth, made once and remembered up to a bound."""

import base64
from types import SimpleNamespace

import pytest

from sentienguard.flow import log_growth


class Log:
    """A log whose proofs name the sizes that they are of, and are counted."""

    def __init__(self):
        self.made = 0

    def consistency(self, old, new):
        self.made += 1
        return [f"{old} to {new}".encode(), b"\xff"]


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def growth(log):
    return log_growth.Growth(SimpleNamespace(log=log))


def test_a_proof_is_of_the_sizes_that_were_asked_for(growth, log):
    found = [growth.proof(*sizes) for sizes in ((3, 5), (3, 6), (4, 5), (3, 5))]
    nodes = [base64.b64decode(first, validate=True).decode() for first, _ in found]
    assert nodes == ["3 to 5", "3 to 6", "4 to 5", "3 to 5"]
    assert {last for _, last in found} == {"/w=="}
    assert log.made == 3


def test_proofs_that_are_remembered_do_not_grow_without_end(growth, log):
    for _ in range(2):
        for old in range(256):
            growth.proof(old, 10_000)
    assert log.made == 256
    growth.proof(256, 10_000)  # one too many: all before it are forgotten
    growth.proof(256, 10_000)
    assert log.made == 257
    growth.proof(255, 10_000)
    assert log.made == 258
