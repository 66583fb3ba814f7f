"""A tag of the host has the expected value; an absent tag counts as false."""

from sentienguard.model import playbook
from sentienguard.playbook import facts as vocabulary
from sentienguard.ports import facts
from sentienguard.stages.execute import conditions, work


class TagCheck:
    """A work.CheckKind."""

    only_looks = True

    def judge(self, check: playbook.Check, context: work.Context) -> work.Finding:
        """Compare as text, without regard to case."""
        tag = str(check.fields["tag"])
        expected = str(check.fields["expect_value"]).lower()
        try:
            name = vocabulary.TAG_PREFIX + tag
            found = str(conditions.fact(name, context.bound, context.brought, context.host))
        except facts.UnknownFact:
            found = "false"
        return work.Finding(found.lower() == expected, f"tag {tag} is {found}, expected {expected}")
