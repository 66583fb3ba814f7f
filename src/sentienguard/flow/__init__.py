"""The life of an incident as a pure machine, and what is done for it at the centre through ports.

Called by the control plane, which performs what the machine asks for and feeds back what happened,
and by the simulation, which does the same in a world that fails. Belongs here: which status follows
which event, what has to be recorded before what, how long to wait and what follows when nothing
comes; and the centre's work that would otherwise be written twice, against `centre.Centre`.
Does not belong here: how a thing is done (adapters), how it is judged (stages), what makes it
durable (the engine), who may ask for it (the API).

    incident        events in, deeds and one question out
    incident_work   the deeds, each with one effect however often it is performed
    deciding        what the decide stage is given, and its decision kept
    advising        an adviser asked beside it, within its budget, and what crossed
    answers         a person's answer, decided once and told
    dispatch        what a poll is answered with
    log_growth      the proof for a host that the log it saw has only grown
    receipts        what a host signed, durable before anything follows from it
    reports ledger  what the log says of an incident, and the pen that writes it
"""
