"""The command line of people: thin commands over the public API, and what runs on this machine.

Called through `sentienguard` (`main.main`). A command asks the public API through `client` and
shows the answer through `frame`; only `up`, `down`, `drill`, `demo`, `doctor` and `trust` touch
this machine, and `trust` works where there is no control plane.

What belongs here: options, words, tables, the start and the end of processes, drills. What does
not: judgement (stages), anything that the public API could answer (the control plane).

    main.py         the line is read, its command loaded and run; errors become an exit status
    commands.py     every command by name: where it is, and its sentence for the list of all
    frame.py        data directory, --json, progress and tables: what all commands share
    client.py       the public API; a problem becomes an error
    installation/   one installation on this machine: trust, processes, sandbox
    trust_*.py      offline keys: commands, key files, what is shown, what is read and told
    help/           examples of every command, and completion in shells
    checkup/        what doctor looks at, one look for each thing that can be wrong
    drills/         bounded faults, one file for each; see its charter for how to add one
    *_commands.py   one file for each group of commands

Add a command: a function in the file of its group that takes `data: frame.Data` and
`as_json: frame.Json`, and answers through `Frame.answer` with a document and a table. A new one of
the first level, and a new group, have a line in `commands.py`.
"""
