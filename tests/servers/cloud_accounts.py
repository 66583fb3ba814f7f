"""Accounts of clouds whose objects are ill, and get well by the right act: beds of cloud playbooks.

Called by tests/integration/relays. No hosted service was asked. `ProgramAccount` is Google Cloud or
Azure as far as our relay sees them, by a program that stands in for the operator's own
(`cloud_program`); AWS, by its protocols over HTTP, is `aws_account`.
"""

import enum
import json
import pathlib
import sys
from typing import Any, Protocol

from tests.servers import cloud_program


class Mode(enum.StrEnum):
    """What comes of an act."""

    HELPS = "helps"
    DOES_NOT_HELP = "does not help"
    FAILS_BEFORE_IT = "fails before it"  # an error, and nothing was done
    FAILS_AFTER_IT = "fails after it"  # an error, although it was done
    IS_GONE_AFTER_IT = "is gone after it"  # it was done, and nobody can be asked any more


class Account(Protocol):
    """One account with the objects that playbooks are for, all of them ill."""

    target: dict[str, Any]  # as agent.json declares it

    def name(self, kind: str) -> str:
        """Return the name of the object of a kind, without its target."""

    def set_mode(self, mode: Mode) -> None:
        """Say what comes of acts from now on."""

    def heal(self, kind: str) -> None:
        """Make an object well without an act."""

    def set_capacity(self, kind: str, number: int) -> None:
        """Give it another number, as somebody else would."""

    def capacity(self, kind: str) -> int:
        """Return the number that it has."""

    def acts(self) -> list[str]:
        """Return the acts that were done, not those that were only asked for."""

    def wrong(self) -> list[str]:
        """Return how it was called otherwise than is documented."""


NAMES = {
    "gce_instance": "gce_instance/europe-west3-a/web-1",
    "gce_group": "gce_group/europe-west3-a/web",
    "gcp_sql": "gcp_sql/orders",
    "azure_vm": "azure_vm/shop/web-1",
    "azure_webapp": "azure_webapp/shop/web",
    "azure_scale_set": "azure_scale_set/shop/web",
}


class ProgramAccount:
    """An Account behind a program: `gcloud` or `az`."""

    def __init__(self, place: pathlib.Path, program: str) -> None:
        self._state = place / cloud_program.STATE.name
        made = place / program
        source = pathlib.Path(cloud_program.__file__).read_text()
        made.write_text(f"#!{sys.executable} -I\n{source}")
        made.chmod(0o755)
        directory, project = str(place / "config"), "shop-1"
        owner = "project" if program == "gcloud" else "subscription"
        self.target: dict[str, Any] = {
            "kind": "gcp" if program == "gcloud" else "azure",
            "program": str(made),
            owner: project,
            "config_directory": directory,
            "objects": ["*/*"],
        }
        objects = {
            name: {"id": f"id-of-{kind}", "condition": "ill", "capacity": 4}
            for kind, name in NAMES.items()
        }
        self._keep(
            {
                "program": program,
                "project": project,
                "directory": directory,
                "mode": Mode.HELPS,
                "objects": objects,
                "acts": [],
                "wrong": [],
            }
        )

    def name(self, kind: str) -> str:
        return NAMES[kind]

    def set_mode(self, mode: Mode) -> None:
        self._keep({**self._kept(), "mode": mode})

    def heal(self, kind: str) -> None:
        self._change(kind, condition="well")

    def set_capacity(self, kind: str, number: int) -> None:
        self._change(kind, capacity=number)

    def capacity(self, kind: str) -> int:
        return int(self._kept()["objects"][NAMES[kind]]["capacity"])

    def acts(self) -> list[str]:
        return [" ".join(one) for one in self._kept()["acts"]]

    def wrong(self) -> list[str]:
        return list(self._kept()["wrong"])

    def _change(self, kind: str, **changes: Any) -> None:
        kept = self._kept()
        kept["objects"][NAMES[kind]].update(changes)
        self._keep(kept)

    def _kept(self) -> dict[str, Any]:
        kept: dict[str, Any] = json.loads(self._state.read_text())
        return kept

    def _keep(self, kept: dict[str, Any]) -> None:
        self._state.write_text(json.dumps(kept))
