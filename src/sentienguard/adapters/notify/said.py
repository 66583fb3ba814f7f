"""What the owner wrote about one channel, asked for by name and type.

Called by the modules of the services. What nobody asked for is unknown and refused (`finish`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sentienguard.model import errors

_LONGEST_SECRET: Final = 4096  # bytes of a file with a secret


class ChannelWrong(errors.Rejected):
    """A channel in the owner's file says something that it cannot say."""


class Said:
    """One channel of the file."""

    def __init__(self, name: str, found: Mapping[str, Any], directory: Path) -> None:
        """Read a channel; paths of secrets are relative to `directory`."""
        self.name = name
        self.kind = str(found.get("kind", ""))
        self._found = dict(found)
        self._directory = directory
        self._asked = {"kind", "private"}

    @property
    def private(self) -> bool:
        """Tell whether its addresses need not be public."""
        return self.flag("private")

    def text(self, field: str, default: str | None = None) -> str:
        """Return a text. Raises ChannelWrong where it is due and missing."""
        self._asked.add(field)
        found = self._found.get(field, default)
        if not isinstance(found, str) or not found or not found.isprintable():
            raise self.wrong(field, "a text", found)
        return found

    def optional(self, field: str) -> str:
        """Return a text; empty where there is none."""
        return self.text(field) if field in self._found else self._none(field)

    def flag(self, field: str) -> bool:
        """Return yes or no; no where nothing is said."""
        self._asked.add(field)
        found = self._found.get(field, False)
        if not isinstance(found, bool):
            raise self.wrong(field, "true or false", found)
        return found

    def texts(self, field: str) -> tuple[str, ...]:
        """Return at least one text."""
        self._asked.add(field)
        found = self._found.get(field)
        listed = [found] if isinstance(found, str) else found
        if (
            not isinstance(listed, list)
            or not listed
            or not all(isinstance(one, str) and one.isprintable() for one in listed)
        ):
            raise self.wrong(field, "a list of texts", found)
        return tuple(listed)

    def secret(self, field: str) -> str:
        """Return what stands in the file of this field. Raises ChannelWrong without naming it."""
        path = self._directory / self.text(field)
        try:
            content = path.read_bytes()[: _LONGEST_SECRET + 1]
        except OSError as cause:
            message = f"channel {self.name}: {field}: {path}: {cause.strerror}"
            raise ChannelWrong(message) from cause
        secret = content.decode("utf-8", "replace").strip()
        if not secret or len(content) > _LONGEST_SECRET or not secret.isprintable():
            raise ChannelWrong(f"channel {self.name}: {field}: {path} holds no secret on one line")
        return secret

    def optional_secret(self, field: str) -> str:
        """Return a secret; empty where no file is named."""
        return self.secret(field) if field in self._found else self._none(field)

    def finish(self) -> None:
        """Refuse what nobody asked for. Raises ChannelWrong."""
        for field in self._found:
            if field not in self._asked:
                known = ", ".join(sorted(self._asked))
                raise ChannelWrong(f"channel {self.name}: {field!r} is unknown; known: {known}")

    def wrong(self, field: str, expected: str, found: object) -> ChannelWrong:
        """Return the refusal of a field."""
        shown = "nothing" if found is None else f"{str(found)[:60]!a}"
        return ChannelWrong(f"channel {self.name}: {field}: expected {expected}, found {shown}")

    def _none(self, field: str) -> str:
        self._asked.add(field)
        return ""
