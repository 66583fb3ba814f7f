"""The executor's journal as one append-only file.

Called by agent.executor, which wires it. What belongs here: bytes on disk that survive a crash.
What the records mean is `stages.execute.memory`'s affair.
"""
