"""What kind of target a remedy works on: a record on one kind says little of another.

Used by stores, that tell how orders ended, and by `flow`, that asks for the record of a playbook.
"""

import re
from collections.abc import Mapping
from typing import Final, NewType

TargetKind = NewType("TargetKind", str)
"""Role of the host and what of it is ill, for example `web/service/nginx` or `/system`."""

_ROLES: Final = ("role", "service")  # tags that say what a host is for; the first one counts
_NUMBERED: Final = re.compile(r"[-_@.]?\d+$")  # nginx-2 and nginx_1 are one kind


def kind(metric: str, subject: str, tags: Mapping[str, str]) -> TargetKind:
    """Return the kind of target that has this symptom.

    Of services each is its own kind, for restarting one says nothing of restarting another. Mount
    points, interfaces and objects of one family of metrics are alike.
    """
    role = next((tags[name] for name in _ROLES if tags.get(name)), "")
    family, _, _ = metric.partition(".")
    if family == "service":
        return TargetKind(f"{role}/service/{_NUMBERED.sub('', subject) or subject}")
    return TargetKind(f"{role}/{family}")


def of_facts(facts: Mapping[str, str]) -> TargetKind:
    """Return the kind of target of an order, by the facts that went with it."""
    tags = {
        name.removeprefix("tag."): value for name, value in facts.items() if name.startswith("tag.")
    }
    return kind(facts.get("metric", ""), facts.get("subject", ""), tags)
