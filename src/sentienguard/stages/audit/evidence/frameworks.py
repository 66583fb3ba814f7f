"""The frameworks by the name that people give on the command line and in the API."""

from collections.abc import Mapping
from typing import Final

from sentienguard.model import errors
from sentienguard.stages.audit.evidence import gdpr, hipaa, iso_27001, pci_dss, soc2
from sentienguard.stages.audit.evidence.control import Framework

BY_NAME: Final[Mapping[str, Framework]] = {
    one.name: one
    for one in (
        soc2.FRAMEWORK,
        hipaa.FRAMEWORK,
        pci_dss.FRAMEWORK,
        iso_27001.FRAMEWORK,
        gdpr.FRAMEWORK,
    )
}


class UnknownFramework(errors.Rejected):
    """There is no framework of this name."""


def named(name: str) -> Framework:
    """Return a framework. Raises UnknownFramework, which says which ones there are."""
    found = BY_NAME.get(name)
    if found is None:
        raise UnknownFramework(f"framework {name[:40]!r}: expected one of {', '.join(BY_NAME)}")
    return found
