"""Packages for tests of evidence, and somebody who rewrites one as well as can be without keys."""

import hashlib
import importlib.util
import json
from collections import Counter

from sentienguard.adapters.evidence_files import store
from sentienguard.adapters.evidence_pdf.printer import PdfPrinter
from sentienguard.stages.audit import merkle
from sentienguard.stages.audit.evidence import frameworks, package, population, rows
from sentienguard.trust import canonical


def verifier():
    """Return the stand-alone verifier as a module; a package's reader runs it as a program."""
    spec = importlib.util.spec_from_file_location("verify_evidence", store.VERIFIER_FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def built(stored, first="2026-02-01", last="2026-02-28", framework="soc2", **more):
    return package.build(
        frameworks.named(framework),
        stored,
        population.Period.read(first, last),
        PdfPrinter(),
        store.verifier(),
        **more,
    )


def write(directory, files):
    directory.mkdir(exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    for name, content in files.items():
        (directory / name).write_bytes(content)


def csv_of(found):
    """Return the table of rows that were parsed from JSON."""
    made = [
        population.Row(
            row["index"],
            b"",
            row["in_period"],
            row["entry"],
            bytes.fromhex(row["leaf_hash"]),
        )
        for row in found
    ]
    controls = {row["entry"]["kind"]: row["controls"] for row in found}
    return "".join(rows.csv_lines(made, controls)).encode()


def json_of(found):
    return rows.json_list(canonical.encode(row).decode() for row in found)


def rehash(row):
    """Give a changed row the leaf hash that it should have."""
    row["leaf_hash"] = merkle.leaf_hash(canonical.encode(row["entry"])).hex()


def rewritten(files, found, proofs, *, beside=None, first_index=None):
    """Return a package with other rows, everything set right that needs no key and no log."""
    made = dict(files)
    manifest = json.loads(files["manifest.json"])
    gaps = json.loads(files["gaps.json"])
    made["rows.json"], made["rows.csv"] = json_of(found), csv_of(found)
    made["proofs.json"] = json.dumps(proofs).encode()
    if beside is not None:
        made["beside.json"] = json.dumps(beside).encode()
    kinds = Counter(row["entry"]["kind"] for row in found if row["in_period"])
    sources = {}
    for row in found:
        number = row["entry"]["src_seq"]
        one = sources.setdefault(row["entry"]["src"], {"first": number, "last": 0, "rows": 0})
        one["last"], one["rows"] = number, one["rows"] + 1
    manifest["rows"] |= {
        "count": len(found),
        "in_period": kinds.total(),
        "by_kind": dict(kinds),
        "by_source": sources,
    }
    if first_index is not None:
        manifest["rows"]["first_index"] = first_index
    for one in gaps["controls"]:
        said = manifest["controls"][one["control"]]
        one["entries"] = said["entries"] = sum(kinds[kind] for kind in said["kinds"])
    made["gaps.json"] = json.dumps(gaps).encode()
    for name, said in manifest["files"].items():
        said["sha256"] = hashlib.sha256(made[name]).hexdigest()
        said["bytes"] = len(made[name])
    made["manifest.json"] = json.dumps(manifest).encode()
    return made
