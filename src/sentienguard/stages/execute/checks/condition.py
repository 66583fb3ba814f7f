"""A condition over facts measured now."""

from sentienguard.model import playbook
from sentienguard.playbook import conditions as language
from sentienguard.stages.execute import conditions, work


class ConditionCheck:
    """A work.CheckKind."""

    only_looks = True

    def judge(self, check: playbook.Check, context: work.Context) -> work.Finding:
        """Measure its facts and judge it."""
        condition = language.parse(str(check.fields["condition"]))
        verdict = conditions.judge(condition, context.bound, context.brought, context.host)
        return work.Finding(verdict.holds, f"{condition.text}: {verdict.seen}")
