"""Who is to blame for a symptom, from what was observed and with no model.

Called by the CLI (`sentienguard diagnose`) and by the benchmark. Pure and deterministic: the same
snapshot gives the same verdict, whatever the order of its parts. Ours are the snapshot's format and
the engine; where data comes from is not. Explained in docs/explanation/diagnosis.md.

    snapshot     the neutral JSON as `model.diagnosis.Snapshot`, or a clear refusal
    readings     series as deviations from what was usual, and their onsets
    topology     typed edges as a graph
    claims       what one way of looking says about one object
    flow         where a symptom's excess comes from, along calls with traffic
    cascade      whose fault would reach what moved
    behaviour    requests that do other things than they used to
    resources    processors, memory and wires
    kubernetes/  mechanisms of a cluster: what its objects say is broken
    changes      which change to look at first, or none
    triage       which alerts are worth a page
    engine       all of it, in one readable function: `diagnose(snapshot) -> Verdict`
    report       the verdict as plain data

To add a way of looking: a module that gives claims, and its line in `engine`.

Rules that hold whatever is added:
1. Only objects in the inventory are blamed (changes only where the question is which change).
2. Text that a host or an alert controls (log lines, summaries, annotations) never convicts alone:
   it needs a measured effect, a crash, or an alert of another source beside it.
3. Nothing that lies after the symptom was noticed, less a guard gap, counts as an onset.
4. A hypothesis pays for each effect that it predicts and that did not happen.
5. A snapshot in which nothing moved is answered with an abstention, not with the least bad suspect.
"""
