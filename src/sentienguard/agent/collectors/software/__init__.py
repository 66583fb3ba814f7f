"""What server programs say of themselves: databases, caches, queues, web servers.

Called by `agent.collector`, one `asking.Software` for each target. What belongs here speaks the
protocol of one program, as a client that only reads, in the standard library. What does not:
whether its process lives (`collectors.services`), judging a reading.

Rules:

1. A target is asked in a thread of its own, within `asking.LIMIT_S` in all. A program that hangs
   delays no sample, and is not asked twice at once.
2. Nothing is sent that changes anything, and no statement holds a text that came from elsewhere.
3. What a program answers is bounded (`MOST_BYTES` of `adapters.databases.wire`) and not believed
   further than its numbers.
4. A password stands in a file of its own, is read for each connection and never told.
5. A target that nobody declared switches itself on where it answers, and is not missed where not.

Add one: a file here with `DEFAULTS` and `ask`, one line in `kinds.KINDS`, its metric names in the
reference, a test against the real program.
"""
