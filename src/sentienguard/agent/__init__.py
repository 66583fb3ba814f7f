"""The agent: two small processes on a host, and the command line that manages them.

The *collector* (`collector`, unprivileged, the only one with the network) reads the host every
`interval_s`, keeps what the centre has not acknowledged on disk, and carries orders and events
between the centre and the *executor* (`executor`, privileged, no network beyond loopback), which
admits every order by itself. They meet at one Unix socket. Neither listens on a TCP or UDP port.

What belongs here: what touches this host or speaks for it. What does not: judging samples or
choosing remedies (the control plane), the rules of admission and undo (`stages.execute`), formats
and signatures (`stages.observe`, `trust`).

The collector's process imports the standard library alone, and of that what is cheap: every module
costs each host its memory. `tests/unit/agent/test_agent_imports.py` holds that.

Add a collector: see `collectors/__init__.py`. Add a setting: a field with its sentence in
`settings.py`, its place in `settings.parse`, a case in the table of its test.
"""
