"""Looks for the names of people in what a control plane keeps."""

from pathlib import Path

from sentienguard.controlplane.centre import Centre


def in_log(centre: Centre) -> list[tuple[int, str, str]]:
    """Return which entries hold the name of an account, and of whom, as they are stored.

    Names with an @ only: another one may stand in an entry as the name of something else.
    """
    names = [one.name for one in centre.users.list() if "@" in one.name]
    return [
        (entry.index, entry.fields["kind"], name)
        for entry in centre.log.entries(0, centre.log.size())
        for name in names
        if name.encode() in entry.stored
    ]


def in_files(directory: Path, name: str) -> list[str]:
    """Return the files below a directory whose bytes hold a name in any letters."""
    wanted = name.casefold().encode()
    return sorted(
        str(file.relative_to(directory))
        for file in directory.rglob("*")
        if file.is_file() and wanted in file.read_bytes().lower()
    )
