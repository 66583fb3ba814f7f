"""Prove one playbook on a host that exists only in its `simulation.yaml`.

Called by `sentienguard playbook test` and tests/playbooks. The playbook is judged and executed by
the executor's own code (`stages.execute`: desk, engine, recovery) with real signatures; what is
pretended is the host below its ports, and its time. What belongs here: the case that a playbook
brings (`case`, read by `reading`), the host made of it (`stage`, offered through `ports` and
`lying`), one order on that host (`rehearsal`), and what has to be true of it (`proofs`). What does
not: how a step, a check or an undo works, and files; bytes come in, proofs go out.

To add something that a case may say: a field in `case`, its line in `reading`, what it means in
`stage`, and a row in docs/reference/simulation-cases.md. To add a proof: one function in `proofs`,
named in `PROOFS`, with a playbook that fails it in tests/unit/simulation.
"""
