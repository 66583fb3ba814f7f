"""Build what one release consists of, and sign it with the offline key of releases.

    python scripts/release.py [--out DIR]           build into DIR, default dist/VERSION
    python scripts/release.py --key KEY [--out DIR]  build and sign

In DIR: wheel, source archive, the agent as one file, the bill of materials, the units and policies
of packaging/ as one archive, the stand-alone verifier, and `sentienguard-VERSION.sha256`, the
manifest: version, commit, SHA-256 of every file. The same commit gives the same bytes. Rules:

1. Nothing is built from a tree that differs from its commit, nor without the dashboard.
2. DIR holds nothing else: what lies beside a manifest and is not named in it is a fault.
3. `ssh-keygen -Y sign` signs the manifest and the agent's file, so the key may have a passphrase,
   be on a token (KEY is its public half then), or on a machine without any of this: built without
   --key, the two commands are printed that sign there.
4. A signature stays only where packaging/release-signers names the key for now: one that nobody
   would believe is no release.
"""

from __future__ import annotations

import argparse
import io
import pathlib
import platform
import shutil
import subprocess
import sys
import tarfile
import tomllib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))  # also when a test imports this
import agent_file
import locked
import sbom

from sentienguard.agent import release_manifest
from sentienguard.model import errors
from sentienguard.trust import sshsig

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = locked.ROOT
SIGNERS: Final = ROOT / "packaging/release-signers"
REVOKED: Final = ROOT / "packaging/release-revoked"
DASHBOARD: Final = ROOT / "src/sentienguard/controlplane/ui_dist/index.html"
VERIFIER: Final = ROOT / "tools/verify_audit_log.py"


class NotReleased(errors.Rejected):
    """There will be no release; the message has the reason and the way out."""


def main() -> int:
    """Build it, sign it where a key is named; return the exit status."""
    parser = argparse.ArgumentParser(description="Build and sign a release.")
    parser.add_argument("--key", type=pathlib.Path, help="OpenSSH Ed25519 key of releases")
    parser.add_argument("--out", type=pathlib.Path, help="an empty directory (dist/VERSION)")
    wanted = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    out: pathlib.Path = (wanted.out or ROOT / "dist" / project["version"]).absolute()
    try:
        manifest = build(out, project["version"])
        print(f"{manifest}: {len(release_manifest.parse(manifest.read_text()).files)} files")
        if wanted.key is None:
            print("not signed; with the key of releases, where it is, both of:")
            for path in to_sign(manifest):
                print(f"  {' '.join(signing(pathlib.Path('KEY'), path))}")
            return 0
        for path in to_sign(manifest):
            print(f"{path.name}{release_manifest.SIGNATURE}: by {sign(path, wanted.key)}")
    except errors.SentienGuardError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


def build(out: pathlib.Path, version: str) -> pathlib.Path:
    """Build everything and return the manifest. Raises NotReleased (rules 1 and 2)."""
    commit = clean_commit()
    if not DASHBOARD.exists():
        raise NotReleased(f"{DASHBOARD} is missing: the dashboard was not built; run `make test`")
    out.mkdir(parents=True, exist_ok=True)
    if present := sorted(path.name for path in out.iterdir()):
        raise NotReleased(f"{out} has to be empty, and holds {present[0]}; move it away")
    _run([sys.executable, "-m", "hatchling", "build", "-d", str(out), "-t", "sdist", "-t", "wheel"])
    agent = out / f"{release_manifest.AGENT}{version}-linux-{platform.machine()}"
    agent_file.build(agent, version)
    packages = [one for one in locked.everything() if not one.development]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    bill = sbom.encode(sbom.document(project, packages))
    (out / f"sentienguard-{version}.cdx.json").write_text(bill, "utf-8")
    (out / f"sentienguard-{version}-packaging.tar").write_bytes(_archive("packaging"))
    shutil.copyfile(VERIFIER, out / VERIFIER.name)
    files = {path.name: release_manifest.sha256(path) for path in out.iterdir()}
    named = release_manifest.Release(version, commit, files)
    manifest = out / f"sentienguard-{version}.sha256"
    manifest.write_text(release_manifest.render(named), "ascii")
    return manifest


def clean_commit() -> str:
    """Return the commit that the tree is. Raises NotReleased where it differs (rule 1)."""
    changed = _run(["git", "status", "--porcelain"]).splitlines()
    if changed:
        raise NotReleased(
            f"the tree differs from its commit in {len(changed)} files, the first is "
            f"{changed[0][3:]}; commit or remove them"
        )
    return _run(["git", "rev-parse", "HEAD"]).strip()


def to_sign(manifest: pathlib.Path) -> Sequence[pathlib.Path]:
    """Return the files that get a signature of their own."""
    named = release_manifest.parse(manifest.read_text("ascii")).files
    agents = sorted(name for name in named if name.startswith(release_manifest.AGENT))
    return [*(manifest.with_name(name) for name in agents), manifest]


def signing(key: pathlib.Path, path: pathlib.Path) -> list[str]:
    """Return the command that signs a file."""
    return ["ssh-keygen", "-Y", "sign", "-n", sshsig.RELEASE, "-f", str(key), str(path)]


def sign(path: pathlib.Path, key: pathlib.Path) -> str:
    """Sign a file and return the key's fingerprint. Raises NotReleased (rule 4)."""
    signature = path.with_name(path.name + release_manifest.SIGNATURE)
    # Not captured: it may have to ask for a passphrase or for a touch of the token.
    if subprocess.run(signing(key, path), cwd=ROOT, check=False).returncode != 0:
        raise NotReleased(f"{path} was not signed; ssh-keygen says why")
    try:
        by = sshsig.verify(
            path.read_bytes(),
            signature.read_text("ascii"),
            sshsig.allowed_signers(SIGNERS.read_text("utf-8"), namespace=sshsig.RELEASE),
            namespace=sshsig.RELEASE,
            at=datetime.now(UTC),
            revoked=sshsig.revoked_keys(REVOKED.read_text("utf-8")),
        )
    except errors.SentienGuardError as error:
        signature.unlink()
        raise NotReleased(f"{SIGNERS}: {error}; nobody would believe this signature") from error
    return sshsig.fingerprint(by.key)


def _archive(directory: str) -> bytes:
    """Return the tracked files of a directory as an archive of the same bytes each time."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as packed:
        for name in _tracked(directory):
            content = (ROOT / name).read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            packed.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def _tracked(directory: str) -> Iterator[str]:
    yield from sorted(_run(["git", "ls-files", "-z", directory]).rstrip("\0").split("\0"))


def _run(argv: Sequence[str]) -> str:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no word"]
        raise NotReleased(f"`{' '.join(argv)}` failed: {said[-1]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
