"""The bill of materials: true to the lock files, valid, the same bytes each time."""

import json
import os
import subprocess
import sys
import tomllib

import pytest

from scripts import sbom
from scripts.sbom import locked

PROJECT = tomllib.loads((locked.ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def bill():
    return sbom.document(PROJECT, locked.everything())


def test_it_is_valid_by_the_schema_of_cyclonedx(bill):
    schema = pytest.importorskip("cyclonedx.schema")
    validation = pytest.importorskip("cyclonedx.validation.json")
    judge = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    found = judge.validate_str(sbom.encode(bill))
    assert found is None, str(found)[:2000]
    broken = {**bill, "bomFormat": "SPDX"}
    assert judge.validate_str(sbom.encode(broken)) is not None, "the judge can say no"


def test_every_pinned_version_has_its_line_and_no_other(bill):
    lines = locked.RUNTIME.read_text("utf-8").splitlines()
    pinned = {line.split("==")[0] for line in lines if line[:1].isalnum()}
    shipped = [one for one in bill["components"] if one["scope"] == "required"]
    ours = {one["name"] for one in shipped if one["purl"].startswith("pkg:pypi/")}
    assert ours == pinned
    assert all(one["hashes"] for one in shipped)
    document = json.loads(locked.DASHBOARD.read_text("utf-8"))
    npm = {one["name"] for one in shipped if one["purl"].startswith("pkg:npm/")}
    assert set(document["packages"][""]["dependencies"]) <= npm


def test_what_needs_what_is_told(bill):
    edges = {one["ref"].rpartition("@")[0]: one["dependsOn"] for one in bill["dependencies"]}
    assert any(ref.startswith("pkg:pypi/starlette@") for ref in edges["pkg:pypi/fastapi"])
    assert any(ref.startswith("pkg:pypi/alembic@") for ref in edges["pkg:pypi/sentienguard"])
    assert not any(ref.startswith("pkg:pypi/starlette@") for ref in edges["pkg:pypi/sentienguard"])
    known = {one["bom-ref"] for one in bill["components"]}
    assert {ref for refs in edges.values() for ref in refs} <= known


def test_the_same_commit_gives_the_same_bytes(tmp_path):
    made = set()
    for seed, place in (("1", tmp_path / "a"), ("2", tmp_path / "b")):
        place.mkdir()
        said = subprocess.run(
            [sys.executable, str(locked.ROOT / "scripts/sbom.py"), "-"],
            cwd=place, capture_output=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC-{seed}"},
        )  # fmt: skip
        made.add(said.stdout)
    assert len(made) == 1


def test_another_version_is_another_bill(bill):
    more = [*locked.everything()[1:], locked.Package("PyPI", "alembic", "0.0.1")]
    assert sbom.document(PROJECT, more)["serialNumber"] != bill["serialNumber"]


@pytest.mark.parametrize("line", ["alembic>=1.0", "-e .", "https://example.org/x.whl"])
def test_a_line_without_a_version_is_refused(tmp_path, line):
    file = tmp_path / "lock.txt"
    file.write_text(f"# made\n{line}\n")
    with pytest.raises(locked.LockUnreadable, match="NAME==VERSION"):
        locked.python(file)
