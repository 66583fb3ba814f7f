"""What a cluster's own objects say is broken, behind a causal gate.

Called by `diagnosis.engine` for a snapshot that holds a cluster. Localise first, then classify: the
observation says what suffers (`observation`), rules say which mechanism on which object would make
it suffer (`rules/`, one module a family), the gate keeps those whose victims really do (`judging`).

    plain, containers, reading, objects   API objects, and views of a cluster made of them
    addresses                             where settings tell a workload to connect to
    observation                           what is seen to be wrong
    finding, rules/                       what a rule says, and the rules
    judging                               gate, competition, confidence

Causes are an open vocabulary of ours, named for the mechanism (`taint_not_tolerated`); they are
listed in docs/explanation/diagnosis-kubernetes.md. To add a rule, see `rules/__init__.py`.
"""

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis.kubernetes import judging, observation, rules


def diagnose(snapshot: diagnosis.Snapshot) -> diagnosis.Verdict:
    """Say which mechanism of a cluster is broken, or that none is seen to be.

    A snapshot without a cluster is answered with an abstention.
    """
    if snapshot.kubernetes is None:
        return diagnosis.Verdict(snapshot.id, (), abstained="the snapshot holds no cluster")
    seen = observation.observe(snapshot)
    findings = [found for name in sorted(rules.RULES) for found in rules.RULES[name](seen)]
    ranked, confidence = judging.judge(seen, findings)
    if not ranked:
        why = "no mechanism of the cluster is seen to be broken"
        return diagnosis.Verdict(snapshot.id, (), abstained=why)
    first = ranked[0]
    return diagnosis.Verdict(
        snapshot=snapshot.id,
        ranked=ranked,
        edges=tuple(zip(first.path, first.path[1:], strict=False)),
        confidence=round(confidence, 4),
    )
