"""What we ask of the world: one Protocol in each file, with the data and the errors that cross it.

Called by stages, flow and the processes; offered by adapters and by the simulation. The docstring
of each file says who calls and who offers it. What belongs here: contracts. What does not: code
that runs, and nouns that two ports share (`model`).

To add a port: one file, a Protocol with the errors that each method may raise, and a contract suite
in tests/contract that every offer of it passes.
"""
