"""All files of an evidence package: the same bytes for the same log and period.

Called by the CLI and by the control plane's evidence desk, which write them where they belong.

    README.txt           what this is and how to check it
    report.pdf           summary, gaps, one section for each control, all rows
    rows.csv, rows.json  every row
    proofs.json          for each row the hashes that lead from it to the signed root
    beside.json          entries right before and after the rows, and enrolments of hosts
    gaps.json            controls without an entry, days without an entry
    checkpoint           the signed note with the root
    log.vkey             the log's public keys, to be compared with those that you kept
    manifest.json        what was asked, what was counted, digests of all other files
    verify_evidence.py   checks all of this, without anything of ours

No file says when it was made, so that who makes the package again can compare.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sentienguard.ports import audit_log
from sentienguard.ports.report_printer import ReportPrinter
from sentienguard.stages.audit import verify
from sentienguard.stages.audit.evidence import gaps, population, report, rows
from sentienguard.stages.audit.evidence.control import Framework
from sentienguard.stages.audit.evidence.population import Period, Population, Told

FORMAT: Final = 1
VERIFIER: Final = "verify_evidence.py"


@dataclass(frozen=True, slots=True)
class Package:
    """The files of a package."""

    files: Mapping[str, bytes]  # by name, in alphabetical order
    manifest: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """The SHA-256 of the manifest, which names the digests of all other files."""
        return hashlib.sha256(self.files["manifest.json"]).hexdigest()


def build(
    framework: Framework,
    stored: audit_log.StoredLog,
    period: Period,
    printer: ReportPrinter,
    verifier: bytes,
    *,
    trust: verify.Trust | None = None,
    told: Told = population.silent,
) -> Package:
    """Make a package. `verifier` is the stand-alone program that goes inside.

    Raises population.NotSound where the log does not verify.
    """
    chosen = population.of_log(stored, period, trust, told)
    found = gaps.find(framework, chosen)
    files = {
        "README.txt": _readme(framework, chosen).encode(),
        "checkpoint": chosen.note.encode(),
        "log.vkey": f"{chosen.verifier_keys}\n".encode(),
        VERIFIER: verifier,
        "gaps.json": _json(gaps.document(found)),
        "beside.json": _beside(chosen),
        **_rows(framework, chosen, told),
        "proofs.json": _proofs(chosen, told),
    }
    digests = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    files["report.pdf"] = printer.printed(
        report.write(framework, chosen, found, digests),
        lambda done, of: told("drawing the report", done, of),
    )
    manifest = _manifest(framework, chosen, found, files)
    files["manifest.json"] = _json(manifest)
    return Package({name: files[name] for name in sorted(files)}, manifest)


def _rows(framework: Framework, chosen: Population, told: Told) -> dict[str, bytes]:
    controls = framework.by_kind()
    of = len(chosen.rows)
    told("writing rows", 0, of)
    lines = [rows.json_row(row, controls[row.fields["kind"]]) for row in chosen.rows]
    told("writing rows", of // 2, of)
    table = "".join(rows.csv_lines(chosen.rows, controls)).encode()
    told("writing rows", of, of)
    return {"rows.json": rows.json_list(lines), "rows.csv": table}


def _proofs(chosen: Population, told: Told) -> bytes:
    """Return the proofs of all rows, a line each."""
    lines = []
    for number, row in enumerate(chosen.rows):
        if number % 1000 == 0:
            told("proving rows", number, len(chosen.rows))
        lines.append(_path(row.index, chosen))
    return rows.json_list(lines)


def _beside(chosen: Population) -> bytes:
    return rows.json_list(
        f'{{"entry":{one.row.stored.decode()},"index":{one.row.index},'
        f'"proof":{_path(one.row.index, chosen)},"why":"{one.why}"}}'
        for one in chosen.beside
    )


def _path(index: int, chosen: Population) -> str:
    hashes = ",".join(f'"{base64.b64encode(node).decode()}"' for node in chosen.proof(index))
    return f'{{"hashes":[{hashes}],"index":{index}}}'


def _manifest(
    framework: Framework, chosen: Population, found: gaps.Gaps, files: Mapping[str, bytes]
) -> dict[str, Any]:
    kinds = Counter(row.fields["kind"] for row in chosen.counted)
    sources: dict[str, dict[str, int]] = {}
    for row in chosen.rows:
        number = row.fields["src_seq"]
        told = sources.setdefault(row.fields["src"], {"first": number, "last": number, "rows": 0})
        told["last"], told["rows"] = number, told["rows"] + 1
    return {
        "format": FORMAT,
        "evidence_for": {
            "framework": framework.name,
            "title": framework.title,
            "edition": framework.edition,
            "note": report.NO_VERDICT,
        },
        "period": {
            "from": chosen.period.first.isoformat(),
            "to": chosen.period.last.isoformat(),
            "start_ms": chosen.period.start_ms,
            "end_ms": chosen.period.end_ms,
        },
        "log": {
            "origin": chosen.origin,
            "tree_size": chosen.size,
            "root": chosen.root.hex(),
            "checks": {one.name: one.detail for one in chosen.report.checks},
        },
        "rows": {
            "first_index": chosen.start,
            "count": len(chosen.rows),
            "in_period": len(chosen.counted),
            "by_kind": dict(sorted(kinds.items())),
            "by_source": dict(sorted(sources.items())),
        },
        "controls": {
            one.control.id: {"entries": len(one.rows), "kinds": list(one.control.kinds)}
            for one in found.findings
        },
        "files": {
            name: {"sha256": hashlib.sha256(files[name]).hexdigest(), "bytes": len(files[name])}
            for name in sorted(files)
        },
    }


def _readme(framework: Framework, chosen: Population) -> str:
    period = chosen.period
    return f"""Evidence for {framework.title} ({framework.edition})
{period.first} to {period.last}, UTC, both days included

{report.NO_VERDICT}

report.pdf    to read: summary, gaps, one section for each control, all rows
rows.csv      the same rows for a spreadsheet; rows.json has them whole
proofs.json   for each row the way to the signed root in `checkpoint`
gaps.json     controls for which the log holds nothing, and what to do

To check it, with Python 3.11 and OpenSSL 3 and nothing of SentienGuard:

    python3 verify_evidence.py . --key KEPT.vkey --witness WITNESSES.vkeys

Give the log's public key and those of its witnesses from elsewhere than this package. Without them
the key in this package is used, and whoever made the package could have made the key.
"""


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
