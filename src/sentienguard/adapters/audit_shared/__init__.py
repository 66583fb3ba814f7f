"""The audit log that several control planes share: one log, one order, no fork.

Called by the composition root of the control plane (`log.AuditShared`). Offers ports.audit_log over
ports.audit_storage, a database that every replica reaches. What belongs here: taking turns,
catching up, group commit, what to do when it is not known whether a commit came through. What does
not: what an entry may hold (ports.audit_ledger), and SQL (adapters.sql_store).

Each replica holds the same ledger in memory. A batch is: take the turn, catch up with what others
appended, let the ledger judge, append, commit. So each entry is judged against the whole log, the
centre's numbers and keys have one order, and a key is in the log once whoever wrote it.
"""
