"""Stores of secrets for tests: the real door, over variables that a test names."""

from datetime import UTC, datetime

from sentienguard.adapters.secret_stores import door

AT = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)


def Stores(**variables):  # noqa: N802 - it stands for a class
    """Return a door whose environment is this."""
    return door.Door(variables)
