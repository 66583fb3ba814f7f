"""All changes that are known of an environment: those that were told, and commits that were read.

Called by flow.diagnosing and controlplane.context, through ports.change_store. A source that
cannot be read has no changes; texts that were not redacted when they came are redacted here.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sentienguard.model.evidence import Changed
from sentienguard.ports.change_store import ChangeReader
from sentienguard.stages.observe import redact


class KnownChanges:
    """Changes of several sources, as of one."""

    def __init__(self, told: ChangeReader, commits: ChangeReader | None = None) -> None:
        """Read what was told, and commits where there are any."""
        self._told = told
        self._commits = commits

    def between(
        self, environment: str, start: datetime, end: datetime, *, limit: int
    ) -> Sequence[Changed]:
        """Return what took effect with start <= at < end, newest first."""
        found = list(self._told.between(environment, start, end, limit=limit))
        if self._commits is not None:
            known = {one.version for one in found}
            found += [
                replace(one, by=redact.line(one.by), summary=redact.line(one.summary))
                for one in self._commits.between(environment, start, end, limit=limit)
                if one.version not in known
            ]
        return sorted(found, key=lambda one: (one.at, one.id), reverse=True)[:limit]
