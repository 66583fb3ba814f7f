"""Start the agent from its one file: unpack once, check each time, go on in an own interpreter.

This is the `__main__.py` of what scripts/agent_file.py builds; the standard library is all it has.
A compiled library cannot be loaded out of a zip, so everything is unpacked into a directory named
by the digest of its manifest: below /opt/sentienguard as root, and for everybody once root has done
so; below ~/.cache/sentienguard else, or where XDG_CACHE_HOME says. Rules:

1. The directory, all in it and all above it belong to root or to who runs this, and nobody else may
   write there; above it a sticky one will do, such as /tmp, in which others rename nothing of ours.
2. Every file has the digest that the manifest says, at each start, compiled ones too; none is there
   that it does not name. A directory that is other than that is not used, and said so.
3. It is unpacked beside its place and renamed, so that a crash or a second start finds all of it or
   nothing.
"""

import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
import zipfile
from pathlib import Path

LEAST = (3, 11)
SHARED = Path("/opt/sentienguard")  # root's; the collector's user has no home
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def main() -> int:
    """Unpack where that is due, check, and become the agent's command line, or say why not."""
    if sys.version_info < LEAST:
        return fail(
            f"needs Python {LEAST[0]}.{LEAST[1]} or later, this is {sys.version.split()[0]}"
        )
    archive = Path(sys.argv[0]).resolve()
    with zipfile.ZipFile(archive) as packed:
        stored = packed.read("manifest.json")
        manifest = json.loads(stored)
        digest = hashlib.sha256(stored).hexdigest()
        if tuple(manifest["python"]) != sys.version_info[:2]:
            wanted = ".".join(map(str, manifest["python"]))
            return fail(f"was built for Python {wanted}; start it with python{wanted} {archive}")
        name = f"agent-{digest[:32]}"
        place = home(name).resolve() / name
        shared = first_shared(place)
        if shared:
            return fail(f"{shared} can be changed by others; mend its owner and mode, or name "
                        "another place with XDG_CACHE_HOME")  # fmt: skip
        if not place.exists():
            unpack(packed, place, manifest["files"])
    wrong = first_wrong(place, manifest["files"])
    if wrong:
        return fail(f"{place}: {wrong}; find out who changed it, remove it, and start again")
    command = f"import sys; sys.path.insert(0, {str(place)!r}); from pathlib import Path; "
    command += "from sentienguard.agent import main, release; "
    command += f"one = release.OneFile(Path({str(archive)!r}), Path({str(place)!r})); "
    command += "sys.exit(main.main(one_file=one))"
    argv = [sys.executable, "-I", "-B", "-c", command, *sys.argv[1:]]  # -B: nothing is added there
    return os.execv(argv[0], argv)  # noqa: S606 - no shell is the point


def home(name: str) -> Path:
    """Return where the version `name` is unpacked, or to be."""
    asked = os.environ.get("XDG_CACHE_HOME")
    if not asked and (os.geteuid() == 0 or (SHARED / name).exists()):
        return SHARED
    return Path(asked or Path.home() / ".cache") / "sentienguard"


def unpack(packed: zipfile.ZipFile, place: Path, files: dict[str, str]) -> None:
    """Write everything beside its place, and rename it there."""
    before = os.umask(0o022)  # whoever else runs it has to read it
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    draft = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=place.parent))
    try:
        for name in files:
            target = draft / name
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            target.write_bytes(packed.read("lib/" + name))
            target.chmod(0o644)
        draft.chmod(0o755)
        try:
            draft.rename(place)
        except OSError:
            if not place.exists():  # else another start was quicker
                raise
    finally:
        os.umask(before)
        shutil.rmtree(draft, ignore_errors=True)


def first_shared(place: Path) -> str:
    """Return the first directory above in which others could put another in place of ours."""
    for path in reversed(place.parents):
        if not path.exists():
            return ""  # it is about to be made
        state = path.stat()
        writable = state.st_mode & OTHERS_WRITE and not state.st_mode & stat.S_ISVTX
        if state.st_uid not in {0, os.geteuid()} or writable:
            return str(path)
    return ""


def first_wrong(place: Path, files: dict[str, str]) -> str:
    """Return what is not as it was built; empty where all is."""
    for directory, _, names in os.walk(place):
        for path in (Path(directory), *(Path(directory, name) for name in names)):
            state = path.lstat()
            if state.st_uid not in {0, os.geteuid()} or state.st_mode & OTHERS_WRITE:
                return f"{path} can be changed by others"
            if stat.S_ISDIR(state.st_mode):
                continue
            known = files.get(path.relative_to(place).as_posix())
            if known is None or not stat.S_ISREG(state.st_mode):
                return f"{path} does not belong there"
            if hashlib.sha256(path.read_bytes()).hexdigest() != known:
                return f"{path} was changed"
    missing = [name for name in files if not (place / name).exists()]
    return f"{missing[0]} is missing" if missing else ""


def fail(message: str) -> int:
    """Say what is wrong; return the exit status."""
    sys.stderr.write(f"sentienguard-agent: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
