"""The pretend world: hosts, links, disks, people and time that obey, from one seed.

Run by `python -m sentienguard.simulation` and tests/simulation. The code under test is the
product's own: flow (incident, deciding, dispatch, receipts, answers), stages (decide, execute,
audit) and trust, with real signatures. What surrounds it is pretended here, so that everything that
can go wrong does, at every moment at which it makes a difference, and the same again for the same
seed. What belongs here: pretended ports and processes, faults, and the invariants. What does not:
rules of the product.

    scheduler                                       one line of time; fibers for code that sleeps
    clock disk journal audit_store stores vault link host            what can fail
    executor collector site centre flows            the processes, thin, and their supervisors
    remedies                                        what can be wrong, and signed playbooks for it
    people faults attacker peril                    what happens to it
    watch permitted                                 the invariants, on the truth of the world
    proving                                         one playbook on the host that it brings
    world search planted                            one seed, many seeds, bugs put in on purpose

docs/explanation/simulation.md says how to replay a seed and how to add a fault, an invariant or a
planted bug.
"""
