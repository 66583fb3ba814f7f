"""Evidence that an outsider can check: entries, the tree over them, checkpoints, witnesses.

Called by the adapter that stores the log (through `ports.audit_ledger`), by the executor (builds
its entries, witnesses checkpoints), by the CLI (verification) and by the API (incident records).
What belongs here: what an entry is, what proves that it is in the log and that the log only grows,
and what is rendered from it. What does not: files, fsync, sockets (`adapters.audit_files`).

    entry       what one leaf holds, its bounds and its controls
    sources     each source numbers and chains what it says, so that an omission shows
    merkle      RFC 6962 trees, proofs and their verification
    checkpoint  C2SP signed notes: the log's and the witnesses' word on size and root
    witness     a witness's memory: it signs growth and nothing else
    ledger      the rules of the log in memory; the adapter only keeps its bytes
    verify      a whole stored log, judged; damage becomes findings
    record      the complete record of one incident
    evidence/   packages for auditors: which entries bear on which control, with their proofs
    export/     entries in the words of other systems

To add a kind of entry: one line in `entry.KINDS`, with who may say it and the controls that it
is evidence for; its topic in `evidence.topics`, its class in `export.ocsf`; where the incident
record should show it, a line in `record`.
"""
