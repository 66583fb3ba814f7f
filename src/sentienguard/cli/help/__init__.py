"""What the command line tells about itself: examples in every `--help`, completion in shells.

Called by `main`, `completion_commands`, and by tests that hold both against the program.

What belongs here: examples, the tree of commands as plain data, scripts for shells. What does not:
what a command does, which stands in its own help.

    examples    the examples of each command, and how `--help` shows them
    tree        commands, options and their values, read from the program
    live        ids, hosts and playbooks of the running system, asked while somebody types
    bash zsh fish   one file for each shell: a tree becomes a script

Add a shell: a file with `script(tree)`, and its line in `completion_commands`.
Add a command: its examples in `examples`; a test fails until they are there.
"""
