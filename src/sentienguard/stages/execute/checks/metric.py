"""One fact against its threshold."""

from sentienguard.model import playbook
from sentienguard.playbook import conditions as language
from sentienguard.stages.execute import conditions, work


class MetricCheck:
    """A work.CheckKind."""

    only_looks = True

    def judge(self, check: playbook.Check, context: work.Context) -> work.Finding:
        """Measure the fact and compare it."""
        metric, threshold = str(check.fields["metric"]), str(check.fields["threshold"])
        condition = language.of_metric(metric, threshold)
        verdict = conditions.judge(condition, context.bound, context.brought, context.host)
        return work.Finding(verdict.holds, f"expected {condition.text}, {verdict.seen}")
