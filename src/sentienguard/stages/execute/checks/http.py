"""An address on this host answers with the expected status."""

from sentienguard.model import playbook
from sentienguard.stages.execute import targets, work


class HttpCheck:
    """A work.CheckKind."""

    only_looks = True

    def judge(self, check: playbook.Check, context: work.Context) -> work.Finding:
        """Ask once."""
        url = targets.url(check.fields, context)
        expected = context.bound.integer(check.fields.get("expected_status"), 200)
        answer = context.host.http.ask(url, context.limit_s)
        came = f"status {answer.status}" if answer.status else f"no answer ({answer.detail})"
        return work.Finding(answer.status == expected, f"{url}: expected {expected}, {came}")
