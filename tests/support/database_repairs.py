"""Orders of bundled playbooks for a real database: the executor's own path, from order to end.

Called by tests/playbooks/real/test_real_*.py.
"""

import re
from pathlib import Path
from typing import Any

from sentienguard.playbook import parse
from tests.support import execution

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
_WITHIN_S = 60


class Repairs:
    """An executor whose owner declared the service `db` with a database."""

    def __init__(self, directory: Path, declared: dict[str, Any], **changes: Any) -> None:
        self.centre = execution.Centre()
        start = {"start": ["/bin/false"], "pid_file": str(directory / "db.pid")}
        services = {"db": {**start, **changes.pop("service", {})}}
        self.agent = execution.Agent(
            directory / "agent",
            self.centre,
            databases={"db": declared},
            services=services,
            **changes,
        )
        self.agent.start()
        self._orders = 0

    def close(self) -> None:
        self.agent.close()

    def give(self, name: str, *, guarded: bool = True, **parameters: str) -> dict[str, Any]:
        """Order a bundled playbook, with room for several runs, perhaps without its guard."""
        stored = (PLAYBOOKS / name / "playbook.yaml").read_bytes()
        stored = re.sub(rb"\nmax_per_hour: \d+\n", b"\nmax_per_hour: 60\n", stored)
        if not guarded:
            stored = re.sub(rb"\nguard: .*\n", b"\nguard: cpu_percent >= 0\n", stored)
        return self.order(stored, **parameters)

    def order(self, stored: bytes, *, dry_run: bool = False, **parameters: str) -> dict[str, Any]:
        """Order a playbook; return how it ended, or that it was refused and by what."""
        self._orders += 1
        answer = self.agent.configure(stored, version=self._orders)
        assert answer["accepted"], answer
        sent = self.agent.send(
            parse.load(stored, origin="ordered"),
            incident=f"inc_20260212_112600_{self._orders:08x}",
            parameters={"service": "db", **parameters},
            dry_run=dry_run,
        )
        if not sent["admitted"]:
            return {"outcome": "REFUSED", "reason": f"{sent['rule']}: {sent['reason']}"}
        return self.agent.finished(sent["order_id"], _WITHIN_S)

    def mends(self, name: str, **parameters: str) -> dict[str, Any]:
        """Order it once and expect that it heals."""
        ended = self.give(name, **parameters)
        assert ended["outcome"] == "SUCCESS", ended
        return ended

    def heals_once(self, name: str, **parameters: str) -> dict[str, Any]:
        """Order it until it healed, and once more without its guard: nothing is left to do."""
        first = self.mends(name, **parameters)
        again = self.give(name, guarded=False, **parameters)
        assert again["outcome"] == "SUCCESS_NO_ACTION", again
        refused = self.give(name, **parameters)
        assert refused["outcome"] == "REFUSED", refused
        assert "guard" in refused["reason"], refused
        return first
