"""Answer PromQL over any series: a documented subset, with Prometheus 2's semantics to the digit.

Called by controlplane.queries, which fetches series and bounds what a query may cost. Pure: time
comes as arguments, series through `source.Source`. The parser is the package `promql-parser`; all
else is here, on arrays of all steps at once, so that a range query costs little more than an
instant one.

    parse       text to our own tree; refuses what is not in the subset, by name
    tree        the nodes of a query
    source      what is asked of whoever has the series, and the limits of one query
    values      scalars and vectors over all steps; labels
    evaluate    a tree to a value, node by node
    selecting   selectors and subqueries: which reading counts at which step
    spans       readings of many windows side by side
    over_time   functions of a range that count, sum and compare
    rates       functions of a range that follow a counter or a slope
    functions   functions of an instant vector or a scalar
    calendar    functions of a date
    labelling   functions that change labels
    regex       regular expressions that end in time
    histogram   quantiles out of buckets
    aggregate   sums, ranks and their like over series
    binary      operators
    matching    which series of two sides meet
    answer      a value as Prometheus's HTTP API writes it

To add a function: its row in `over_time.FUNCTIONS`, `rates.FUNCTIONS` or `functions.FUNCTIONS`, its
line in docs/reference/promql.md and its expression in the differential test, which fails without.

What does not belong: where readings are kept, who may see them, HTTP.
"""
