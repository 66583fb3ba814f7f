"""A program that only looks ends with the expected status."""

from sentienguard.model import playbook
from sentienguard.ports import command_runner
from sentienguard.stages.execute import work


class Command:
    """A work.CheckKind."""

    only_looks = False  # that the program only looks is the playbook's word, not ours

    def judge(self, check: playbook.Check, context: work.Context) -> work.Finding:
        """Run it once."""
        argv = context.bound.argv(check.fields.get("argv"))
        expected = context.bound.integer(check.fields.get("expected_exit_code"))
        result = context.host.commands.run(
            argv,
            limit=context.limit_s,
            mark=context.mark,
            interrupt=context.interrupt,
        )
        if result.ending is command_runner.Ending.EXITED:
            came = f"status {result.exit_code}"
        else:
            came = f"{result.ending} after {result.duration_ms} ms"
        return work.Finding(
            result.exit_code == expected,
            f"{argv[0]}: expected status {expected}, {came}",
            result.exit_code,
            result.stdout,
            result.stderr,
        )
