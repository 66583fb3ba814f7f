"""The databases of this machine: their wire protocols, and one statement at a time over them.

Called by agent.executor (`access`, the offer of ports.databases) and by the collectors of
PostgreSQL and MySQL (`postgresql`, `mysql`), which ask the same servers what they do. What belongs
here speaks to a server on this machine in the standard library alone, because two processes that
have to stay small load it. What does not: whether a statement may be run (playbook.statements),
which one is (the signed playbook).

Rules:

1. A connection goes to a Unix socket or to loopback, and nowhere else (`wire.Wire`).
2. A statement is sent as it was signed. Values travel beside it, as the protocol binds them; no
   text is ever put together with SQL.
3. A connection has one deadline and a bound on what it may answer; the server is told its own.
4. A password stands in a file of its own, is read for each connection and never told.

Add a dialect: a module here with `Connection`, one line in `access.CONNECT`, one in
`measures.STATEMENTS`, and a test against the real server.
"""
