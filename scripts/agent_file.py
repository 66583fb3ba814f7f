"""Build the agent as one file: a Python program in a zip, with what it needs from PyPI inside.

    python scripts/agent_file.py [FILE]        default: dist/sentienguard-agent-VERSION-linux-ARCH
    python scripts/agent_file.py --key KEY     signs it too: FILE.sig, as `ssh-keygen -Y sign` would

It needs a Python on the host, of the minor version that built it: `_cffi_backend` is bound to one,
and cryptography loads it. Inside are the modules of the agent, found
by following their imports, and the installed cryptography, cffi and PyYAML, whose archives `make`
checked against requirements/runtime.txt. Each module is inside as source and compiled, so that a
host runs what was built and no compiled file that the manifest does not name. The same inputs give
the same bytes. What it does when it is started stands in scripts/agent_start.py. The relay's helper
for AWS is not inside.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import marshal
import pathlib
import platform
import sys
import tomllib
import zipfile
from typing import TYPE_CHECKING, Final

from sentienguard.trust import sshsig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = pathlib.Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "src"
START: Final = ROOT / "scripts/agent_start.py"
PACKAGES: Final = ("cryptography", "cffi", "PyYAML")
MANIFEST: Final = "manifest.json"
INSIDE: Final = "lib/"  # what is unpacked
MOST_BYTES: Final = 15 * 1024 * 1024  # a promise of the documents
CHECKED: Final = 0b11  # compiled by the hash of its source, and compared with it at each import
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name
_LEFT_OUT: Final = (".pyi", ".pyx", ".h", ".c", "py.typed", "RECORD", "INSTALLER", "REQUESTED")
_C_PARSER: Final = ("yaml/_yaml", "_yaml/")  # of PyYAML: bound to one Python, never asked for


def main() -> int:
    """Build it; return the exit status."""
    parser = argparse.ArgumentParser(description="Build the agent as one file.")
    parser.add_argument("file", nargs="?", type=pathlib.Path)
    parser.add_argument("--key", type=pathlib.Path, help="Ed25519 key of releases; signs the file")
    wanted = parser.parse_args()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    name = f"sentienguard-agent-{version}-linux-{platform.machine()}"
    path: pathlib.Path = wanted.file or ROOT / "dist" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    build(path, version)
    content = path.read_bytes()
    print(f"{path}: {len(content)} bytes, sha256:{hashlib.sha256(content).hexdigest()}")
    if len(content) > MOST_BYTES:
        print(f"more than the {MOST_BYTES} that are promised", file=sys.stderr)
        return 1
    if wanted.key is not None:
        print(f"{sign(path, wanted.key)}: by {fingerprint(wanted.key)}")
    return 0


def sign(path: pathlib.Path, key: pathlib.Path) -> pathlib.Path:
    """Sign a built file; return where the signature lies. Raises keys.BadKey."""
    signature = sshsig.sign(
        path.read_bytes(), sshsig.private_key(key.read_bytes()), namespace=sshsig.RELEASE
    )
    target = path.with_name(f"{path.name}.sig")
    target.write_text(signature)
    return target


def fingerprint(key: pathlib.Path) -> str:
    """Return what people compare, as `ssh-keygen -l` shows it."""
    return sshsig.fingerprint(sshsig.private_key(key.read_bytes()).public)


def build(path: pathlib.Path, version: str) -> None:
    """Write the file."""
    files = {**dict(ours()), **dict(theirs())}
    files |= dict(compiled(files))
    manifest = {
        "version": version,
        "python": [sys.version_info.major, sys.version_info.minor],
        "files": {name: hashlib.sha256(body).hexdigest() for name, body in sorted(files.items())},
    }
    parts = {
        "__main__.py": START.read_bytes(),
        MANIFEST: json.dumps(manifest, sort_keys=True).encode(),
        **{INSIDE + name: body for name, body in files.items()},
    }
    with path.open("wb") as target:
        target.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
            for name, body in sorted(parts.items()):
                entry = zipfile.ZipInfo(name, _LONG_AGO)
                entry.external_attr = 0o100644 << 16
                packed.writestr(entry, body, zipfile.ZIP_DEFLATED, 9)
    path.chmod(0o755)


def ours() -> Iterator[tuple[str, bytes]]:
    """Yield the modules that the agent's own lead to, wherever in them the import stands."""
    waiting = [_module(path) for path in (SOURCE / "sentienguard/agent").rglob("*.py")]
    found: dict[str, pathlib.Path] = {}
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if path is None or name in found:
            continue
        found[name] = path
        waiting.append(name.rpartition(".")[0])  # its package's own file runs first
        waiting.extend(imported(path))
    for path in found.values():
        yield path.relative_to(SOURCE).as_posix(), path.read_bytes()


def imported(path: pathlib.Path) -> Iterator[str]:
    """Yield the names that a module imports from us; some are of things in a module."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


def theirs() -> Iterator[tuple[str, bytes]]:
    """Yield the files of the packages from PyPI, with their licences."""
    for package in PACKAGES:
        for one in importlib.metadata.files(package) or ():
            name = one.as_posix()
            kept = not name.startswith("..") and "__pycache__" not in name
            if kept and not name.endswith(_LEFT_OUT) and not name.startswith(_C_PARSER):
                yield name, pathlib.Path(str(one.locate())).read_bytes()


def compiled(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield each module compiled, where Python looks for it, bound to its source by its hash."""
    for name, body in files.items():
        if not name.endswith(".py"):
            continue
        code = compile(body, name, "exec", dont_inherit=True, optimize=0)
        head = importlib.util.MAGIC_NUMBER + CHECKED.to_bytes(4, "little")
        head += importlib.util.source_hash(body)
        # Version 2 has no references, which depend on what else this process holds in memory.
        yield importlib.util.cache_from_source(name), head + marshal.dumps(code, 2)


def _module(path: pathlib.Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _file(name: str) -> pathlib.Path | None:
    if not name.startswith("sentienguard"):
        return None
    place = SOURCE / name.replace(".", "/")
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if path.exists():
            return path
    return None


def inside(path: pathlib.Path) -> Mapping[str, str]:
    """Return what a built file says that it holds: names and SHA-256."""
    with zipfile.ZipFile(path) as packed:
        files: dict[str, str] = json.loads(packed.read(MANIFEST))["files"]
        return files


if __name__ == "__main__":
    sys.exit(main())
