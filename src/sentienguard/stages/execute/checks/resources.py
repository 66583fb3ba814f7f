"""There is room for what the playbook itself needs."""

from sentienguard.model import playbook
from sentienguard.stages.execute import work


class Resources:
    """A work.CheckKind."""

    only_looks = True

    def judge(self, check: playbook.Check, context: work.Context) -> work.Finding:
        """Measure free disk and memory."""
        said = []
        passed = True
        for fact in ("disk_free", "memory_free"):
            if fact not in check.fields:
                continue
            needed = context.bound.size(check.fields[fact])
            free = float(context.host.facts.measure(fact, context.bound.subjects))
            passed = passed and free >= needed
            said.append(f"{fact} is {free:.0f} bytes, needed {needed}")
        return work.Finding(passed, "; ".join(said) or "nothing is needed")
