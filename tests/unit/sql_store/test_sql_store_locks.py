"""PostgreSQL's advisory locks are numbers that all stores share: no two may mean the same one."""

import re
from pathlib import Path

from sentienguard.adapters import sql_store

STORES = Path(sql_store.__file__).parent
LOCK = re.compile(r"advisory_xact_lock\((\d+)\)")


def test_each_store_waits_for_a_lock_of_its_own() -> None:
    found = [
        number for file in STORES.rglob("*.py") for number in LOCK.findall(file.read_text("utf-8"))
    ]
    assert len(found) >= 4
    assert len(set(found)) == len(found), found
