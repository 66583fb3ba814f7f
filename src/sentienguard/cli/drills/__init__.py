"""Drills: real, bounded faults in the sandbox, and what has to come of each.

Called by `sentienguard drill` and `demo`, and by tests. A drill breaks something inside
DIR/sandbox, and nowhere else; the product then has to notice, decide, act and prove it without
help. What belongs here: the faults, what is expected, what must not change, how to watch. What does
not: any knowledge of how the product solves it beyond the name of the playbook.

    drill.py       what a drill is
    <fault>.py     one fault each
    library.py     all of them by name; YAML variations of one
    follow.py      from the fault to the closed incident, through the public API
    story.py       an incident's story as lines of five stages
    screen.py      those lines on a terminal, or one after the other
    scoring.py     was it what was expected
    proving.py     a drill's fault and orders straight to a real executor
    web_service.py the service that some drills break

Add a drill: a file with a class that offers `drill.Drill`, one line in `library.py`, a case in
tests/unit/cli/test_cli_drills.py. This file imports nothing: agents start `web_service` through it.
"""
