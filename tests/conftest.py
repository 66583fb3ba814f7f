"""Profiles of property tests, and what every process that a test starts inherits.

`fixed` has the same cases each time, `thorough` searches longer.
"""

import os
import signal
import sys

import hypothesis
import pytest

from tests.support import effort

hypothesis.settings.register_profile(
    "fixed", derandomize=True, deadline=None, print_blob=True, max_examples=100
)
hypothesis.settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=5_000)
hypothesis.settings.load_profile(effort.pick("fixed", thorough="thorough"))

# Images of CI often set it. Hundreds of processes would compile our 600 modules again, a second of
# processor each; installed as users have it, they find bytecode.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell ignores SIGINT for what it runs in the background, and all children inherit that: those
# that a test ends politely would wait for the end of our patience.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Believe a test what it says that it runs only where it was seen to run."""
    if item.get_closest_marker("runs_kinds") is None:
        return (yield)
    from tests.support import real_kinds

    real_kinds.SEEN.clear()
    result = yield
    missing = real_kinds.declared(item) - real_kinds.SEEN
    assert not missing, f"declared and not run: {sorted(missing)}; seen: {sorted(real_kinds.SEEN)}"
    return result
