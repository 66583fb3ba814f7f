"""Lines of a log match a pattern no more often than allowed.

As a verification it counts what was logged since the steps began, so the errors that the remedy is
for do not count against it. Lines are untrusted: they are matched, never shown whole.
"""

import re
from datetime import timedelta

from sentienguard.model import playbook
from sentienguard.stages.execute import targets, work

SHOWN = 160  # characters of the last match in the report


class LogCheck:
    """A work.CheckKind."""

    only_looks = True

    def judge(self, check: playbook.Check, context: work.Context) -> work.Finding:
        """Count the matches."""
        file = targets.log_file(check.fields, context)
        pattern = re.compile(str(check.fields["pattern"]))
        most = context.bound.integer(check.fields.get("max_matches"))
        lookback = timedelta(seconds=context.bound.seconds(check.fields.get("lookback"), 60))
        earliest = context.host.clock.now() - lookback
        since = earliest if context.since is None else max(earliest, context.since)
        after = None if context.log_marks is None else context.log_marks.get(file)
        lines = context.host.logs.lines(file, since=since, after=after)
        matching = [line for line in lines if pattern.search(line)]
        last = f"; last: {matching[-1][:SHOWN]!r}" if matching else ""
        return work.Finding(
            len(matching) <= most,
            f"{file}: {len(matching)} lines match, at most {most} may{last}",
        )
