"""What `doctor` looks at: each thing that can be wrong with an installation, and how to mend it.

Called by `cli.doctor`, which knows the order. Nothing here changes anything: a look reads files,
asks a process that runs, and says what it found.

What belongs here: one look for each thing, with its way out. What does not: judging of hosts and
incidents, which the control plane does.

    finding   what a look returns
    machine   this machine: clock, space, modes, ports
    centre    the control plane's files: settings, database, signed documents, model, certificate
    agent     this machine's agent: identity, certificate, why its executor would refuse
    asked     what a running control plane says: address, kill switch, samples, people told, log

Add a look: a function that yields findings, its line in `cli.doctor.examine`, and a case that
really breaks it in tests/integration/cli/test_cli_doctor.py.
"""
