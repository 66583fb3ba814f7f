"""The life of an incident as a pure machine, and the wait that belongs to each part of it.

Called by the control plane's engine, which performs what the machine asks for and feeds back what
happened; later by the simulation. Belongs here: which status follows which event, what has to be
recorded before what, how long to wait and what follows when nothing comes. Does not belong here:
how a thing is done (adapters), how it is judged (stages), what makes it durable (the engine).
"""
