"""A bundled playbook on a Debian host of its own: real systemd, real journald, its own network.

Called by tests/playbooks/real/test_real_node.py. `Node` is one booted host with its executor in it;
it gives orders as `real_playbooks.Bench` does. The first one on a machine makes the Debian root
that all of them share.
"""

from pathlib import Path
from typing import Any

import yaml

from sentienguard.cli.drills import definition, shelf
from sentienguard.cli.drills.beds import node_bed
from tests.support import execution, real_playbooks

EMPTY = {
    "name": "node",
    "kind": "decoy",
    "about": "A host on which nothing is wrong.",
    "beds": ["node"],
    "inject": "true",
    "expect": {"outcome": "left_alone"},
}


class InNode(execution.Agent):
    """An agent's directory in a node, and its executor there."""

    def __init__(self, bed: node_bed.NodeBed, **changes: Any) -> None:
        super().__init__(bed.agent, execution.Centre(), **changes)
        self.bed = bed

    def start(self) -> None:
        self.bed.start_agent("executor")
        self.wait(lambda: self.ask("hello").get("agent_id") == execution.AGENT, 40)

    def diary(self) -> str:
        return self.bed.log()


class Node(real_playbooks.Bench):
    """One host, its executor, and all of its disks and units."""

    def __init__(self, place: Path, **settings: Any) -> None:
        directory = place / "node"
        directory.mkdir()
        (directory / definition.FILE).write_text(yaml.safe_dump(EMPTY))
        beds = place / "bed"
        beds.mkdir(mode=0o700)
        self.bed = node_bed.NodeBed(
            definition.read(directory), beds, shelf.library(), agents_port=1, tell=lambda _: None
        )
        self.orders = 0
        try:
            self.agent = InNode(self.bed, **settings)
            self.agent.start()
        except BaseException:
            self.close()
            raise

    def said(self, script: str) -> str:
        """Run a script there and return what it said; its status has to be 0."""
        done = self.bed.run(script)
        assert done.good, done.output
        return done.output.strip()

    def unit(self, name: str, program: str, *words: str) -> None:
        """Have systemd run a Python program as a service of that name."""
        root = self.bed.root
        (root / "opt" / f"{name}.py").write_text(program)
        argv = " ".join(("/usr/bin/python3", f"/opt/{name}.py", *words))
        (root / "etc/systemd/system" / f"{name}.service").write_text(
            f"[Service]\nExecStart={argv}\n"
        )
        self.said(f"systemctl daemon-reload && systemctl restart {name}")

    def main_pid(self, name: str) -> int:
        """Return the main process of a unit, as the host numbers it."""
        return int(self.said(f"systemctl show --property=MainPID --value {name}"))

    def close(self) -> None:
        self.bed.take_down()
