"""Scores of series that nobody described: no limits, no names, no history to start from.

Called by `cli.detect_commands`, by `detect.deviations`, by `detect.ramps` and by benchmarks. Each
lane takes readings one after another and scores each from what came before it, so a score depends
on no later reading. Pure numpy; the state is bounded whatever the length of the series, and one
object judges all series read together.

    deviation    how far a reading is from every baseline: what remediation acts on, each time anew
    novelty      how unlike anything seen before: what people are told of, once
    host         the metrics of a host judged together, and which of them stand out
    ramp         whether a series with a limit is on its way to it, unlike its usual ups and downs

Deviation and novelty differ on purpose. A detector tuned to tell people once learns a repeated
outage as normal, and the most careful of them finds the fewest real incidents; one that fires at
each repetition is noise to a reader. A score of 0.5 is the lane's own threshold; scores are between
0 and 1.

`scalar` is deviation once more, for one series and without numpy; their figures stand in
`definition`. So is `scalar_ramp` to `ramp`, with `ramp_definition`. What deviation and ramp have
learned is written by `snapshot`.

Their parts: `levels` and `seasons` are baselines, `rhythm` tells whether days matter, `cover` is a
past that fits into a small room.

To add a lane, write a module here with a class that has `judge` and offer it in
`cli.detect_commands.LANES`.
"""
