"""A module of ours with one rule taken out, for tests that show that a test would notice.

    weaker = planted.module("sentienguard.trust.webauthn", "if not flags & UP", "if False")

What is replaced has to stand in the source exactly once: a plant that fits nothing any more fails.
"""

import importlib
import importlib.util
import pathlib
import sys
import types
from unittest import mock


def module(name: str, before: str, after: str) -> types.ModuleType:
    """Return a module of this name, made from its source with one text replaced."""
    honest = importlib.import_module(name)
    assert honest.__file__ is not None
    source = pathlib.Path(honest.__file__).read_text("utf-8")
    count = source.count(before)
    assert count == 1, f"{name} has {before!r} {count} times: plant this bug anew"
    made = types.ModuleType(name)
    made.__file__ = honest.__file__
    with mock.patch.dict(sys.modules, {name: made}):  # dataclasses look their module up
        exec(compile(source.replace(before, after), honest.__file__, "exec"), made.__dict__)
    return made
