"""What happens to an incident, told in order; five packages that never import one another.

    observe   raw payloads to samples worth keeping
    detect    samples to incidents
    decide    an incident to one decision with its reasons
    execute   an order's life on a host
    audit     all of it to a log that outsiders can check

Called by `flow` and by the composition roots of the processes, where the stages meet by passing
nouns of `model`. What belongs here: judgement, as pure functions and small state machines that take
time, randomness and ids as arguments. What does not: files, sockets, databases (`adapters`).

To add a stage: a package with a charter, its name in `.importlinter` (contract `stages`), its place
in `flow`. There have been five since the first day; a sixth needs an ADR.
"""
