"""Execute: an order's life on a host, from the envelope that arrives to the proof of how it ended.

Called by agent.order_intake and agent.executor (`desk`: new orders; `recovery`: orders that a crash
cut off) and by simulations. What belongs here decides and sequences: whether an order is admitted
(`desk` on the rules of `admission`), with which values (`parameters`), whether now is the time
(`preconditions`), what runs in which order (`engine`), how it is undone (`undo`), what an
interrupted order still needs (`resume`), what is remembered (`memory`, `ledger`) and reported
(`report`). What does not belong here: processes, files, sockets, clocks. They are asked for through
`ports`, bundled in `host.Host`.

Everything is denied unless each rule permits it, an error in a rule included. A kind of step is a
file in `steps/`, a kind of check a file in `checks/`.
"""
