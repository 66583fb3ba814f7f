"""`backtest`: what would have been raised and decided over the history of a Prometheus.

Called by `backtest_commands`. Nothing here speaks to a control plane or changes anything; the
server that is asked is only read.

    plan       what is asked for, and over which time
    state      what was fetched and judged so far, in a file, so that it can go on after Ctrl-C
    fetch      the pages of history, not faster than agreed
    judge      what was fetched, host by host
    alerts     the alerts of the one who runs it, as episodes of hosts, and how ours compare
    report     what came of it, as a document
    page       the document as one HTML file that loads nothing
    progress   how far it is

What judges is `flow.hindsight`: the detector, the folding, the matching and the policy of the
product. What is only about history belongs here; a metric that can be asked for belongs to
`history_sources` (for every import) or to `plan.ALSO` (for the backtest alone).
"""
