"""Secrets of this machine: variables of the process, files that only their owner reads."""

import os
import stat
from collections.abc import Mapping
from typing import Final

from sentienguard.adapters.secret_stores import asking
from sentienguard.ports import secrets

_MOST: Final = 65_536  # bytes of a file of secrets
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Environment:
    """`env:NAME`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Take the variables."""
        self._environment = environment

    def fetch(self, place: str, field: str) -> secrets.Secret:
        """Return a variable's value."""
        if field:
            raise secrets.SecretNameWrong(f"env:{place}: a variable has no fields")
        found = self._environment.get(place, "")
        if not found:
            raise secrets.SecretMissing(f"env:{place}: the variable is not set")
        return secrets.Secret(found)


class Files:
    """`file:/absolute/path`: the first line; with `#FIELD` the file is a JSON object.

    systemd's credentials are such files, and so are the keys of Google's service accounts.
    """

    def fetch(self, place: str, field: str) -> secrets.Secret:
        """Return a file's first line, or one field of it."""
        if not place.startswith("/"):
            raise secrets.SecretNameWrong(f"file:{place}: expected an absolute path")
        found = self._read(place)
        if field:
            name = f"file:{place}#{field}"
            return asking.member(asking.parsed(found, name), field, name)
        lines = found.splitlines()
        if not lines or not lines[0]:
            raise secrets.SecretMissing(f"file:{place}: its first line is empty")
        return secrets.Secret(lines[0])

    def _read(self, place: str) -> str:
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                state = os.fstat(file.fileno())
                if not stat.S_ISREG(state.st_mode) or state.st_mode & _OTHERS:
                    raise secrets.SecretMissing(
                        f"file:{place}: expected a file that only its owner may use (mode 0600)"
                    )
                return file.read(_MOST).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise secrets.SecretMissing(f"file:{place}: cannot be read: {reason}") from None
