"""The machine this process runs on, behind the host ports. Standard library only.

Called by agent.executor, which wires it, and by the contract tests of the ports. What belongs here:
one file for each host port (clock, command_runner, facts, files, http_probe, interrupt, log_reader,
processes, services) and what they share of Linux (procfs, systemd, tree). What does not: deciding
whether something may be done; that is settled before a port is called.

To add a port: its Protocol in `ports`, one file here, one line in agent.executor, and the new suite
in tests/contract, which a simulated host passes as well.
"""
