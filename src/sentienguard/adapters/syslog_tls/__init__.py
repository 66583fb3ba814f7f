"""A connection to a syslog receiver over TLS (RFC 5425).

Called by the CLI (`audit forward`). What belongs here: the connection, its certificates, and what
the kernel knows about delivery. What does not: what a message says (stages.audit.export.syslog),
and which entry comes next.
"""
