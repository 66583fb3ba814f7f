"""What a control plane knows around one incident, as a snapshot that the engine can read.

Called by flow.diagnosing, which gathers, and by flow.replaying, which has the snapshot only. Pure:
what was read from stores comes in as plain values, and nothing here asks for more.

    kinds       names of metrics -> what they measure
    naming      hosts and services as objects of a snapshot
    nearby      which services and hosts are near enough to be looked at
    lines       log lines -> kinds of line, counted before and since
    building    all of it -> one Snapshot
    finding     a Snapshot -> what stands in the evidence, and whom measurements alone blame

To let another source speak: its values in `building.Known`, and the part of a snapshot that they
become. Rules that hold whatever is added:

1. What blames for policy (`model.evidence.Blame`) is made from a snapshot without any text, so that
   no log line, alert or summary can change what is permitted. What people are shown has all of it.
2. Everything is bounded (`nearby`, `building`): the time of a diagnosis follows from its size.
3. The same values give the same bytes, in whatever order they come.
"""
