"""Profiles of property tests: `fixed` has the same cases each time, `thorough` searches longer."""

import hypothesis

from tests.support import effort

hypothesis.settings.register_profile(
    "fixed", derandomize=True, deadline=None, print_blob=True, max_examples=100
)
hypothesis.settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=5_000)
hypothesis.settings.load_profile(effort.pick("fixed", thorough="thorough"))
