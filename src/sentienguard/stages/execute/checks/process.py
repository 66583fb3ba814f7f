"""A process or service runs, for at least so long; or it does not."""

from sentienguard.model import playbook
from sentienguard.ports import processes, services
from sentienguard.stages.execute import work


class ProcessCheck:
    """A work.CheckKind."""

    only_looks = True

    def judge(self, check: playbook.Check, context: work.Context) -> work.Finding:
        """Look for it."""
        wanted = str(check.fields.get("state", "running"))
        least = context.bound.seconds(check.fields.get("min_uptime"))
        what, found = _found(check, context)
        if wanted == "stopped":
            return work.Finding(not found, f"{what}: expected none, {len(found)} run")
        longest = max((each.uptime_s for each in found), default=None)
        if longest is None:
            return work.Finding(passed=False, detail=f"{what}: expected running, none runs")
        detail = f"{what}: runs for {longest:.1f} s, expected at least {least:g} s"
        return work.Finding(longest >= least, detail)


def _found(
    check: playbook.Check, context: work.Context
) -> tuple[str, tuple[processes.Process, ...]]:
    if "service" not in check.fields:
        name = context.bound.text(check.fields.get("name"))
        every = context.host.processes.named(name)
        return f"process {name}", tuple(each for each in every if each.state not in {"T", "t"})
    name = context.bound.text(check.fields["service"])
    state = context.host.services.state(name)
    if state.pid is None or state.status is services.Status.HUNG:
        return f"service {name} ({state.status})", ()
    process = context.host.processes.find(state.pid)
    return f"service {name}", () if process is None else (process,)
