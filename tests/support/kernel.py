"""The safety kernel: its modules, the tests that guard each, and what they have to reach.

Called by tests/kernel; by hand, to judge every mutant of some modules and see the survivors:

    .venv/bin/python -m tests.support.kernel flow.incident stages.decide.policy
"""

import sys
import time
from collections.abc import Iterable, Sequence

from tests.support import equivalent_mutants, mutants, mutation_runs
from tests.support.mutation_runs import Fate, Judged, Subject

LEAST_KILLED = 0.95  # of the mutants of a module that are not known to mean the same

_EXECUTE = "tests/unit/execute"
_DECIDE = "tests/unit/decide"
_AUDIT = "tests/unit/audit"

MODULES = (
    *(f"flow.{name}" for name in ("dispatch", "incident", "receipts")),
    "model.order",
    "playbook.conditions",
    *(f"stages.audit.{name}" for name in (
        "checkpoint", "entry", "ledger", "merkle", "record", "sources", "verify", "witness",
    )),
    *(f"stages.decide.{name}" for name in ("approval", "decide", "policy", "routing")),
    *(f"stages.execute.{name}" for name in (
        "admission", "conditions", "desk", "engine", "ledger", "memory", "parameters",
        "preconditions", "recovery", "resume", "undo",
    )),
    *(f"trust.{name}" for name in (
        "canonical", "catalogue", "dsse", "freshness", "log_keys", "order", "root",
    )),
)  # fmt: skip

_CONDITIONS = "tests/unit/playbook/test_playbook_conditions"

# Each with the tests that have to notice, those that fail soonest first.
SUBJECTS = (
    Subject(
        "sentienguard.stages.execute.admission",
        (f"{_EXECUTE}/test_execute_admission.py", f"{_EXECUTE}/test_execute_admission_edges.py"),
    ),
    Subject(
        "sentienguard.stages.execute.parameters",
        (
            f"{_EXECUTE}/test_execute_bound.py",
            f"{_EXECUTE}/test_execute_parameters.py",
            f"{_EXECUTE}/test_execute_on_objects.py",
        ),
    ),
    Subject(
        "sentienguard.stages.execute.preconditions",
        (f"{_EXECUTE}/test_execute_engine_edges.py", f"{_EXECUTE}/test_execute_engine.py"),
    ),
    Subject(
        "sentienguard.stages.execute.conditions",
        (f"{_EXECUTE}/test_execute_facts.py", f"{_EXECUTE}/test_execute_parameters.py"),
    ),
    Subject("sentienguard.playbook.conditions", (f"{_CONDITIONS}_edges.py", f"{_CONDITIONS}.py")),
    Subject(
        "sentienguard.model.decision",
        (f"{_DECIDE}/test_decide_words.py", f"{_DECIDE}/test_decide_policy_edges.py"),
    ),
    Subject(
        "sentienguard.stages.decide.policy",
        (
            f"{_DECIDE}/test_decide_policy_edges.py",
            f"{_DECIDE}/test_decide_words.py",
            f"{_DECIDE}/test_decide_policy.py",
        ),
    ),
    Subject("sentienguard.stages.decide.routing", (f"{_DECIDE}/test_decide_words.py",)),
    Subject(
        "sentienguard.flow.incident",
        tuple(
            f"tests/unit/flow/test_flow_{name}.py" for name in ("incident", "further", "machine")
        ),
    ),
    Subject(
        "sentienguard.trust.order",
        (
            "tests/unit/trust/test_trust_order_edges.py",
            "tests/unit/trust/test_trust_documents.py",
            "tests/unit/trust/test_trust_passkeys.py",
            "tests/unit/trust/test_trust_ssh_approvals.py",
        ),
    ),
    Subject(
        "sentienguard.stages.execute.memory",
        (
            f"{_EXECUTE}/test_execute_memory.py",
            f"{_EXECUTE}/test_execute_ledger.py",
            f"{_EXECUTE}/test_execute_engine_edges.py",
            f"{_EXECUTE}/test_execute_engine.py",
            f"{_EXECUTE}/test_execute_resume.py",
            f"{_EXECUTE}/test_execute_order_machine.py",
        ),
    ),
    Subject(
        "sentienguard.stages.execute.ledger",
        (f"{_EXECUTE}/test_execute_ledger_edges.py", f"{_EXECUTE}/test_execute_ledger.py"),
    ),
    Subject("sentienguard.stages.execute.desk", (f"{_EXECUTE}/test_execute_desk.py",)),
    Subject("sentienguard.stages.execute.recovery", (f"{_EXECUTE}/test_execute_recovery.py",)),
    Subject(
        "sentienguard.flow.dispatch",
        (
            "tests/unit/flow/test_flow_dispatch.py",
            "tests/unit/flow/test_flow_dispatch_together.py",
        ),
    ),
    Subject(
        "sentienguard.flow.receipts",
        (
            "tests/unit/flow/test_flow_receipts_edges.py",
            "tests/unit/flow/test_flow_receipts.py",
        ),
    ),
    Subject(
        "sentienguard.stages.audit.sources",
        (f"{_AUDIT}/test_audit_ledger_edges.py", f"{_AUDIT}/test_audit_ledger.py"),
    ),
    Subject("sentienguard.stages.audit.witness", (f"{_AUDIT}/test_audit_checkpoint.py",)),
    Subject("sentienguard.trust.log_keys", ("tests/unit/trust/test_trust_log_keys.py",)),
    Subject(
        "sentienguard.stages.audit.checkpoint",
        (f"{_AUDIT}/test_audit_checkpoint.py", f"{_AUDIT}/test_audit_log_keys.py"),
    ),
    Subject(
        "sentienguard.stages.audit.entry",
        (f"{_AUDIT}/test_audit_entry.py", f"{_AUDIT}/test_audit_ledger_edges.py"),
    ),
    Subject(
        "sentienguard.stages.audit.ledger",
        (
            f"{_AUDIT}/test_audit_ledger_edges.py",
            f"{_AUDIT}/test_audit_log_keys.py",
            f"{_AUDIT}/test_audit_ledger.py",
        ),
    ),
    Subject("sentienguard.stages.audit.merkle", (f"{_AUDIT}/test_audit_merkle_edges.py",)),
    Subject(
        "sentienguard.stages.audit.verify",
        (f"{_AUDIT}/test_audit_verify_checks.py", f"{_AUDIT}/test_audit_verify_edges.py"),
    ),
)
SAMPLED = frozenset(
    f"sentienguard.{name}"
    for name in (
        "stages.execute.admission",
        "playbook.conditions",
        "stages.decide.policy",
        "flow.incident",
        "trust.order",
    )
)


def is_equivalent(judged: Judged) -> bool:
    """Tell whether a mutant was reviewed and found to mean the same."""
    return judged.mutant.name in equivalent_mutants.REVIEWED.get(judged.mutant.site.module, {})


def unexplained(judged: Iterable[Judged]) -> list[Judged]:
    """Return the survivors that nobody has reviewed."""
    return [one for one in judged if one.fate is Fate.SURVIVED and not is_equivalent(one)]


def share(judged: Sequence[Judged]) -> float:
    """Return which share of the live mutants that differ was killed."""
    counted = [one for one in judged if one.fate is not Fate.STILLBORN and not is_equivalent(one)]
    return sum(one.fate is Fate.KILLED for one in counted) / len(counted) if counted else 1.0


def summary(module: str, judged: Sequence[Judged]) -> str:
    """Say in one line how a module came off."""
    fates = [one.fate for one in judged]
    return (
        f"{module}: {len(fates)} mutants, {fates.count(Fate.STILLBORN)} stillborn, "
        f"{fates.count(Fate.KILLED)} killed, {fates.count(Fate.SURVIVED)} survived, of them "
        f"{sum(one.fate is Fate.SURVIVED and is_equivalent(one) for one in judged)} equivalent; "
        f"{share(judged):.1%}"
    )


def main() -> None:
    """Judge every mutant of the modules that are named and print the survivors."""
    for subject in SUBJECTS:
        if subject.module.removeprefix("sentienguard.") in sys.argv[1:]:
            began = time.monotonic()
            judged = mutation_runs.run(subject, list(mutants.made(mutants.sites(subject.module))))
            print(summary(subject.module, judged), f"in {time.monotonic() - began:.0f} s")
            for one in unexplained(judged):
                print(f"  {one.mutant.site.line} {one.mutant.site.operator}")
                print(f"    {one.mutant.name!r}", flush=True)


if __name__ == "__main__":
    main()
