"""A configuration file gives a setting a value.

A remedy that changes a setting asks this before it begins: where the owner of a service never
wrote the setting, nobody knows that the service understands it.
"""

from sentienguard.model import playbook
from sentienguard.stages.execute import targets, work
from sentienguard.stages.execute.steps import fs


class SettingCheck:
    """A work.CheckKind."""

    only_looks = True

    def judge(self, check: playbook.Check, context: work.Context) -> work.Finding:
        """Look for a line that sets it; a comment is none."""
        file = targets.config_file(check.fields, context)
        key = context.bound.text(check.fields.get("key"))
        there = fs.has_setting(fs.small(context.host.files, file), key)
        return work.Finding(there, f"{file} {'sets' if there else 'does not set'} {key}")
