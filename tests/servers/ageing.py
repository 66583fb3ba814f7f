"""Let time pass for a server of a test, at once: its clock is libfaketime's, ours stays right.

    ageing = Ageing(directory)
    with postgresql.running(environment=ageing.environment) as server:
        ageing.passes(600)  # for the server, ten minutes later

What a server measures of itself (how long a session is idle, a lock waited for) is then as old as a
rule for production says, and the test takes no longer. Skip where `missing()` is not None.
"""

import pathlib

_LIBRARIES = ("libfaketimeMT.so.1", "libfaketime.so.1")


def _library() -> pathlib.Path | None:
    places = (pathlib.Path("/usr/lib").glob(f"**/faketime/{name}") for name in _LIBRARIES)
    return next((found for place in places for found in sorted(place)), None)


def missing() -> str | None:
    """Say why no clock can be moved here."""
    return None if _library() else "no libfaketime (as root: apt-get install faketime)"


class Ageing:
    """The clock of one server."""

    def __init__(self, directory: pathlib.Path, *, monotonic: bool = False) -> None:
        """Keep the clock's file in a directory; `monotonic` moves that clock too."""
        self._ahead = 0
        self._monotonic = monotonic
        self._file = directory / "ahead"
        directory.chmod(0o755)
        self.passes(0)

    @property
    def environment(self) -> dict[str, str]:
        """Return what the server's environment has to hold."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "NO_FAKE_STAT": "1",  # files keep the age that they have
            "FAKETIME_DONT_FAKE_MONOTONIC": str(int(not self._monotonic)),
        }

    def passes(self, seconds: int) -> None:
        """Let so many seconds pass for the server; less than none: its clock is put back."""
        self._ahead += seconds
        new = self._file.with_name("ahead.new")
        new.write_text(f"{self._ahead:+d}\n")
        new.chmod(0o644)
        new.replace(self._file)
