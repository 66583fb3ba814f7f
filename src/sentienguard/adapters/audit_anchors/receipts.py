"""What is kept here of anchored checkpoints: plain files, for the next start and for auditors.

<size>-<anchor>.checkpoint   the note as it was anchored
<size>-<anchor>.tsr          what an authority signed, for `openssl ts -verify`
<size>-<anchor>.json         where it is and when; written last, so its being there is the fact
"""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sentienguard.ports import anchor

_MODE = 0o600


class Receipts:
    """The receipts of one directory."""

    def __init__(self, directory: Path) -> None:
        """Make the directory where it is missing. Raises OSError."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory

    def keep(self, receipt: anchor.Receipt) -> None:
        """Write one durably. Raises OSError."""
        stem = f"{receipt.size:020d}-{receipt.anchor}"
        self._write(f"{stem}.checkpoint", receipt.note.encode())
        if receipt.proof:
            self._write(f"{stem}.tsr", receipt.proof)
        record = {
            "anchor": receipt.anchor,
            "kind": receipt.kind,
            "size": receipt.size,
            "at": receipt.at.isoformat(),
            "facts": dict(receipt.facts),
        }
        self._write(f"{stem}.json", json.dumps(record, indent=1, sort_keys=True).encode())

    def newest(self) -> Mapping[str, anchor.Receipt]:
        """Return the newest receipt of each anchor, by its name. Raises anchor.AnchorWrong."""
        return {one.anchor: one for one in self.all()}

    def all(self) -> tuple[anchor.Receipt, ...]:
        """Return every receipt, oldest first. Raises anchor.AnchorWrong."""
        return tuple(self._read(file) for file in sorted(self._directory.glob("*.json")))

    def _read(self, file: Path) -> anchor.Receipt:
        try:
            record: dict[str, Any] = json.loads(file.read_bytes())
            proof = file.with_suffix(".tsr")
            return anchor.Receipt(
                anchor=str(record["anchor"]),
                kind=str(record["kind"]),
                size=int(record["size"]),
                at=datetime.fromisoformat(record["at"]),
                note=file.with_suffix(".checkpoint").read_text("utf-8"),
                facts={str(name): str(value) for name, value in record["facts"].items()},
                proof=proof.read_bytes() if proof.exists() else b"",
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise anchor.AnchorWrong(f"{file}: expected a receipt of an anchor: {error}") from error

    def _write(self, name: str, content: bytes) -> None:
        draft = self._directory / f".{name}.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._directory / name)
        parent = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
