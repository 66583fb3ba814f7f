"""Write the bill of materials of what is shipped, as CycloneDX 1.6.

    python scripts/sbom.py [FILE] [--development]

Everything comes from the lock files, so the same commit gives the same bytes on every machine: no
time, no random number. Without FILE it goes to dist/sentienguard-VERSION.cdx.json; `-` prints it.
`--development` adds what only builds and tests. Each component has the digests that installing
checks; what a wheel carries inside (OpenSSL in cryptography's) has no line of its own.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import pathlib
import sys
import tomllib
import uuid
from typing import TYPE_CHECKING, Any, Final

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))  # also when a test imports this
import locked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OURS: Final = uuid.UUID("7d7c8f3e-5b0f-5d5c-9d0a-6b6f0f6b7a11")  # namespace of serial numbers


def main() -> int:
    """Write it; return the exit status."""
    parser = argparse.ArgumentParser(description="Write the bill of materials.")
    parser.add_argument("file", nargs="?", help="where to; - prints it")
    parser.add_argument("--development", action="store_true", help="with what builds and tests")
    wanted = parser.parse_args()
    project = tomllib.loads((locked.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    packages = [one for one in locked.everything() if wanted.development or not one.development]
    text = encode(document(project, packages))
    if wanted.file == "-":
        sys.stdout.write(text)
        return 0
    default = locked.ROOT / f"dist/sentienguard-{project['version']}.cdx.json"
    path = pathlib.Path(wanted.file) if wanted.file else default
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()
    print(f"{path}: {len(packages)} components, sha256:{digest}")
    return 0


def document(project: dict[str, Any], packages: Sequence[locked.Package]) -> dict[str, Any]:
    """Return the bill; its serial number is derived from everything else in it."""
    ours = f"pkg:pypi/{project['name']}@{project['version']}"
    refs = {(one.ecosystem, one.name): one.purl for one in packages}
    direct = [one.purl for one in packages if not one.parents]
    edges: dict[str, set[str]] = {one.purl: set() for one in packages}
    for one in packages:
        for parent in one.parents:
            if (one.ecosystem, parent) in refs:
                edges[refs[one.ecosystem, parent]].add(one.purl)
    made: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "bom-ref": ours,
                "type": "application",
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
                "licenses": [{"license": {"id": project["license"]}}],
                "purl": ours,
            }
        },
        "components": [component(one) for one in _sorted(packages)],
        "dependencies": [
            {"ref": ours, "dependsOn": sorted(set(direct))},
            *({"ref": ref, "dependsOn": sorted(edges[ref])} for ref in sorted(edges)),
        ],
    }
    made["serialNumber"] = f"urn:uuid:{uuid.uuid5(OURS, encode(made))}"
    return made


def component(package: locked.Package) -> dict[str, Any]:
    """Return one line of the bill."""
    made: dict[str, Any] = {
        "bom-ref": package.purl,
        "type": "library",
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
        "scope": "excluded" if package.development else "required",
        "hashes": [_hash(package, digest) for digest in package.digests],
    }
    if package.licence:
        made["licenses"] = [{"expression": package.licence}]
    return made


def encode(made: dict[str, Any]) -> str:
    """Return the same text for the same bill."""
    return json.dumps(made, indent=1, sort_keys=True, ensure_ascii=True) + "\n"


def _hash(package: locked.Package, digest: str) -> dict[str, str]:
    if package.ecosystem == "npm":
        return {"alg": "SHA-512", "content": base64.b64decode(digest).hex()}
    return {"alg": "SHA-256", "content": digest}


def _sorted(packages: Iterable[locked.Package]) -> list[locked.Package]:
    return sorted(packages, key=lambda one: one.purl)


if __name__ == "__main__":
    sys.exit(main())
