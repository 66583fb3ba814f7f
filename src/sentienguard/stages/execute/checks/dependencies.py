"""The programs and services that the steps use are there."""

from collections.abc import Mapping

from sentienguard.model import playbook
from sentienguard.ports import services
from sentienguard.stages.execute import work


class Dependencies:
    """A work.CheckKind."""

    only_looks = True

    def judge(self, check: playbook.Check, context: work.Context) -> work.Finding:
        """Look for each."""
        missing = [
            f"program {name}"
            for name in _names(check.fields, "binaries", context)
            if context.host.commands.locate(name) is None
        ]
        missing += [
            f"service {name}"
            for name in _names(check.fields, "services", context)
            if not _has(name, context)
        ]
        return work.Finding(
            not missing, f"missing: {', '.join(missing)}" if missing else "all there"
        )


def _has(service: str, context: work.Context) -> bool:
    try:
        context.host.services.describe(service)
    except services.UnknownService:
        return False
    return True


def _names(
    fields: Mapping[str, playbook.Field], name: str, context: work.Context
) -> tuple[str, ...]:
    return context.bound.argv(fields[name]) if name in fields else ()
