"""What one release consists of: its version and the SHA-256 of every file, in one signed text.

Called by scripts/release.py, which writes it, and by `sentienguard-agent verify --release`. Rules:

1. It is what `sha256sum --strict --check` reads, with two lines of comment before it; nothing in it
   can be read in two ways. One that is in any other form is refused as a whole.
2. Signed are its bytes, in the namespace of releases. It believes nothing that lies beside it.
3. What runs is of this release: by its digest as one file, module by module from the wheel.
4. What lies beside the manifest is named in it, byte for byte. What is not there is only counted.
5. An older release is signed as well. That there is a newer one this cannot see; it holds the
   version against the one that runs, and against the least that somebody asks for.
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from sentienguard.agent.inspection import Finding
from sentienguard.model import errors

SIGNATURE: Final = ".sig"  # behind the name of what is signed, as ssh-keygen names it
AGENT: Final = "sentienguard-agent-"  # how names of the agent as one file begin
_MOST_BYTES: Final = 64 * 1024  # of a manifest; ours have 1,000
_TITLE: Final = "# sentienguard release "
_COMMIT: Final = "# commit "
_VERSION: Final = re.compile(r"[0-9]+(\.[0-9]+){1,3}")
_HEX40: Final = re.compile(r"[0-9a-f]{40}")
_LINE: Final = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._+-]{0,199})")
_MODULES: Final = (".py", ".so", ".pyi")


class NotAManifest(errors.Rejected):
    """The text is not the manifest of a release; see rule 1."""


@dataclass(frozen=True, slots=True)
class Release:
    """One release."""

    version: str  # such as 0.1.0
    commit: str  # 40 hex digits
    files: Mapping[str, str]  # plain name -> SHA-256, hex


def render(release: Release) -> str:
    """Return the text that is signed."""
    lines = [f"{digest}  {name}" for name, digest in sorted(release.files.items())]
    return "\n".join([f"{_TITLE}{release.version}", f"{_COMMIT}{release.commit}", *lines, ""])


def parse(text: str) -> Release:
    """Read a manifest. Raises NotAManifest (rule 1)."""
    lines = text.split("\n")
    if len(text) > _MOST_BYTES or len(lines) < 4 or lines[-1]:  # noqa: PLR2004 - two of comment, a file, the end
        raise NotAManifest(f"expected at most {_MOST_BYTES} characters of whole lines")
    version, commit = lines[0].removeprefix(_TITLE), lines[1].removeprefix(_COMMIT)
    if not lines[0].startswith(_TITLE) or not _VERSION.fullmatch(version):
        raise NotAManifest(f"line 1: expected `{_TITLE}VERSION`, found {lines[0][:60]!r}")
    if not lines[1].startswith(_COMMIT) or not _HEX40.fullmatch(commit):
        raise NotAManifest(f"line 2: expected `{_COMMIT}` and 40 digits, found {lines[1][:60]!r}")
    files: dict[str, str] = {}
    for number, line in enumerate(lines[2:-1], start=3):
        found = _LINE.fullmatch(line)
        if found is None or found[2] in files:
            raise NotAManifest(f"line {number}: expected a SHA-256, two spaces and a new name")
        files[found[2]] = found[1]
    return Release(version, commit, files)


def beside(release: Release, manifest: Path) -> Iterator[Finding]:
    """Look at what lies beside a manifest (rule 4)."""
    what = "what lies beside the manifest is of this release"
    allowed = {manifest.name, manifest.name + SIGNATURE, *release.files}
    allowed |= {name + SIGNATURE for name in release.files if name.startswith(AGENT)}
    present = {path.name: path for path in manifest.parent.iterdir()}
    for name in sorted(set(present) - allowed):
        yield Finding(what, good=False, reason=f"{present[name]} does not belong there")
    for name in sorted(set(present) & set(release.files)):
        if sha256(present[name]) != release.files[name]:
            yield Finding(what, good=False, reason=f"{present[name]} was changed or swapped")
    missing = sorted(set(release.files) - set(present))
    if not (set(present) - allowed) and len(missing) < len(release.files):
        reason = f"not here, so not looked at: {', '.join(missing)}" if missing else ""
        yield Finding("what lies beside the manifest was looked at", good=True, reason=reason)


def one_file(release: Release, archive: Path) -> Finding:
    """Tell whether a file is the agent of this release, whatever it is called now (rule 3)."""
    what = "the agent that runs is of this release"
    digest = sha256(archive)
    name = next((one for one, named in release.files.items() if named == digest), "")
    if name.startswith(AGENT):
        return Finding(what, good=True, reason=name)
    found = f"it is {name}" if name else "no file of it has this digest"
    return Finding(what, good=False, reason=f"{archive}: {found}, sha256:{digest}")


def package(release: Release, manifest: Path, installed: Path) -> Finding:
    """Tell whether an installed package is the wheel of this release (rule 3).

    The wheel has to lie beside the manifest: its digest is what the manifest names.
    """
    what = "the package that runs is of this release"
    name = next((one for one in release.files if one.endswith(".whl")), "")
    wheel = manifest.with_name(name or "no wheel")
    if not wheel.is_file() or sha256(wheel) != release.files[name]:
        reason = f"{wheel}: needed, unchanged, beside the manifest, to compare what was installed"
        return Finding(what, good=False, reason=reason)
    reason = next(_differences(wheel, installed), "")
    if reason:
        return Finding(what, good=False, reason=reason)
    return Finding(what, good=True, reason=f"{name}; compiled modules were not looked at")


def version(release: Release, runs: str, least: str | None) -> Iterator[Finding]:
    """Hold the version of a release against the one that runs and the least that is wanted."""
    same = release.version == runs
    reason = "" if same else f"the manifest is of {release.version} and {runs} runs"
    yield Finding("the release is the version that runs", good=same, reason=reason)
    if least is None:
        reason = "name the least that you expect with --at-least; a newer one is not seen from here"
        yield Finding(f"the release is {release.version}", good=True, reason=reason)
        return
    new = _numbers(release.version) >= _numbers(least)
    reason = "" if new else f"the manifest is of {release.version}, which is older"
    yield Finding(f"the release is {least} or newer", good=new, reason=reason)


def version_of(archive: Path | None) -> str:
    """Return the version of the agent that runs: as one file, or None, as an installed package."""
    if archive is None:
        return metadata.version("sentienguard")
    with zipfile.ZipFile(archive) as packed:
        return str(json.loads(packed.read("manifest.json"))["version"])


def sha256(path: Path) -> str:
    """Return a file's digest, hex; of what is no plain file, one that no file has."""
    if path.is_symlink() or not path.is_file():
        return "no plain file"
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _differences(wheel: Path, installed: Path) -> Iterator[str]:
    top = f"{installed.name}/"
    with zipfile.ZipFile(wheel) as packed:
        named = {name for name in packed.namelist() if name.startswith(top)}
        for name in sorted(named):
            path = installed.parent / name
            if not path.is_file():
                yield f"{path} is missing"
            elif path.read_bytes() != packed.read(name):
                yield f"{path} was changed"
    for path in sorted(installed.rglob("*")):
        name = path.relative_to(installed.parent).as_posix()
        if path.suffix in _MODULES and name not in named:
            yield f"{path} does not belong there"


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version for comparing. Raises NotAManifest for what is none."""
    if not _VERSION.fullmatch(version):
        raise NotAManifest(f"expected a version such as 0.1.0, found {version[:40]!r}")
    return tuple(int(part) for part in version.split("."))
