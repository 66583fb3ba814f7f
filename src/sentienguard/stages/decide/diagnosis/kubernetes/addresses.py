"""Where a workload's settings tell it to connect to.

A setting is an address if its value looks like host and port, or if one setting names a host and
its sibling a port (`ORDERS_DB_HOST`, `ORDERS_DB_PORT`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_ADDRESS: Final = re.compile(
    r"^(?:[a-z][a-z0-9+.:-]*://)?(?:[^@/\s]*@)?([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::(\d{1,5}))?"
    r"(?:/\S*)?$",
    re.IGNORECASE,
)
_HOST_NAME: Final = re.compile(r"^(.*?)_?(?:HOST|HOSTNAME|ADDR|ADDRESS|SERVER|URL|URI)$")


@dataclass(frozen=True, slots=True)
class Address:
    """One place to connect to."""

    setting: str  # its name
    host: str
    port: int | None  # None where none is given
    port_setting: str = ""  # where the port comes from, if from another setting

    @property
    def service(self) -> str:
        """The first label of a name inside the cluster."""
        return self.host.split(".", maxsplit=1)[0]

    def is_inside(self, namespace: str) -> bool:
        """Tell whether the name can only be one of the cluster's own."""
        _, dot, rest = self.host.partition(".")
        return not dot or rest == namespace or rest.startswith((f"{namespace}.svc", "svc"))


def find(values: Mapping[str, str]) -> Iterator[Address]:
    """Give the addresses among settings, in the order of their names."""
    for name in sorted(values):
        found = _ADDRESS.match(values[name].strip())
        called = _HOST_NAME.match(name.upper())
        if not found or found.group(1).replace(".", "").isdigit():
            continue
        host, port = found.groups()
        if port:
            yield Address(name, host, int(port))
        elif called:
            sibling = next(
                (
                    other
                    for other in (f"{called.group(1)}_PORT", f"{called.group(1)}PORT")
                    if values.get(other, "").isdigit()
                ),
                "",
            )
            yield Address(name, host, int(values[sibling]) if sibling else None, sibling)
