"""Numbers that applications send: StatsD and DogStatsD on a Unix datagram socket.

Called by `agent.collector`. `aggregates` is pure and knows the format; `receiver` owns the socket
and its thread, and is the collector. There is no UDP port: nothing of an agent listens on the
network.

Rules:

1. Memory is bounded: `MOST_SERIES` series, `MOST_MEMBERS` members of a set, `KEPT_TIMES` times of a
   timer. What does not fit is counted as dropped, by reason, and the rest goes on.
2. A message is read or counted, never lost in silence. A sender that is faster than we are waits,
   or is told so by the kernel; that is the sender's choice.
3. What a sender says is a number under a name, and nothing else: no tag decides what is permitted.
"""
