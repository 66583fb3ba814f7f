"""The world: one package for each outside system, and none knows another.

Called by the composition roots (`controlplane/app.py`, `agent/app.py`, the CLI), which hand
adapters to whoever asked for the port. What belongs here: everything that reads or writes
something outside the process, and the translation of its errors into those that the port
declares. What does not: decisions. An adapter that has to know a rule is given it as an object by
the composition root.

What two adapters of one port have in common lies beside them, in a module that knows neither of
them and no outside system (`audit_writer`).

To add an adapter: a package that says in its charter which port it offers and on what, the port's
contract suite run against it, one explicit line in an `app.py`.
"""
