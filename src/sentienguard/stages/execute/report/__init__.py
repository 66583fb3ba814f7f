"""What a host tells of an execution: audit leaves, numbered, chained and signed by this host.

Called by `ledger`. What belongs here builds leaves; keeping and sending them belongs to the journal
and the agent.
"""
