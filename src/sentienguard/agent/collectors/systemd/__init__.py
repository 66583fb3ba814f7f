"""What systemd says of its units, asked over D-Bus in the standard library.

Called by `agent.collector`: `units.Units` is a collector, and a source of log lines. What belongs
here asks and listens on the system bus: `wire` the bytes of messages, `connection` one socket,
`units` which messages say what. What does not: starting or stopping a unit (the executor's).

Rules:

1. Nothing here waits: everything is sent at once, and what has come is read at the next sample.
2. Only what reads is called: Hello, AddMatch, Subscribe, ListUnitsFiltered.
3. What the bus sends is bounded, in bytes of a message, of a sample, and in units that are known.
4. A host without a bus, or without systemd on it, is silent and no failure; it is tried again.

Formats: https://dbus.freedesktop.org/doc/dbus-specification.html, org.freedesktop.systemd1(5).
"""
