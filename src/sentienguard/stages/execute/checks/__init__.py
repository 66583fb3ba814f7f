"""Kinds of checks, one file each; the same kind serves as pre-check and as verification.

Called by `preconditions` and `engine` through `KINDS`. What belongs here looks at the host through
ports and says what it found. What does not: changing anything, trying again, what a failure means.

Add a kind: one file with a class that has `only_looks` and `judge` (`work.CheckKind`), one line
below, its entry in `playbook.kinds.CHECKS`, rows in tests/unit/execute/test_execute_checks.py, and
a test that has a real executor judge by it, marked with `tests.support.real_kinds.runs`.
"""

from collections.abc import Mapping

from sentienguard.stages.execute import work
from sentienguard.stages.execute.checks import (
    command,
    concurrency_check,
    condition,
    dependencies,
    http,
    log_check,
    maintenance,
    metric,
    process,
    resources,
    setting_check,
    sql,
    tag_check,
)

KINDS: Mapping[str, work.CheckKind] = {
    "command": command.Command(),
    "concurrency_check": concurrency_check.ConcurrencyCheck(),
    "condition": condition.ConditionCheck(),
    "dependencies": dependencies.Dependencies(),
    "http": http.HttpCheck(),
    "log_check": log_check.LogCheck(),
    "maintenance": maintenance.Maintenance(),
    "metric": metric.MetricCheck(),
    "process": process.ProcessCheck(),
    "resources": resources.Resources(),
    "setting_check": setting_check.SettingCheck(),
    "sql": sql.SqlCheck(),
    "sql_query": sql.SqlCheck(),
    "tag_check": tag_check.TagCheck(),
}
