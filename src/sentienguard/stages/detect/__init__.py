"""Samples to anomalies, and anomalies to what one incident is made of.

Called by `flow` and by the composition roots, on the control plane and in simulation. Pure: the
time, the history and the learned baselines are arguments. What belongs here says whether a reading
is normal; what to do about it belongs to `stages.decide`.

    kinds        what each metric is: which direction is bad, how much it may wander, where it ends
    baseline     what a series normally does at a time of day, learned from seven days
    scoring      how far a reading is from that, and how bad that distance is
    limits       readings that are bad whatever the history says
    trend        where a series is going by its last hour, and when it gets there
    deviations   the deviation lane of one host, for the detector
    ramps        the ramp lane of one host, for the detector
    grounds      what each of the six above says of one reading
    detector     the judge of one sample: grounds confirmed, with hysteresis
    alert_rules  what an alert from outside is about, by declared rules
    correlate    anomalies of one host and one moment, folded by cause
    silencing    what a silence or a maintenance covers, by label matchers
    windows      when it stands, in its time zone; `cron` reads the recurrence
    recurrence   earlier incidents with the same symptom
    lanes        scores of series that nobody described: deviation, novelty, host, ramp

To teach it a metric, add a row to `kinds.KINDS` and, where a bound needs no history, to
`limits.LIMITS`. A metric without a row is judged by what its name ends in.
"""
