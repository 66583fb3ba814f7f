"""Entries in the words of other systems: OCSF events, CEF lines, syslog messages.

Called by the CLI (`audit export`, `audit forward`). What belongs here: which entry becomes which
event, and how text is escaped; pure, the same bytes for the same entry. What does not: connections
(adapters.syslog_tls). Text in an entry may come from anybody; no text may begin an event, a field
or a line of its own, and tests throw hostile text at each format and read it with a second parser.

    meaning   what an entry says in common terms: title, outcome, severity
    ocsf      events of OCSF 1.8.0; CLASS_OF says which class a kind of entry is
    cef       lines of ArcSight's Common Event Format, version 0
    syslog    RFC 5424 messages, framed as RFC 5425 wants it

To add a kind of entry: one line in `ocsf.CLASS_OF`; a test fails until it is there.
"""
