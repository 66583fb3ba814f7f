"""Drills: real, bounded faults in the sandbox, and what has to come of each.

Called by `sentienguard drill` and `demo`, and by tests. A drill breaks something inside
DIR/sandbox, and nowhere else; the product then has to notice, decide, act and prove it without
help. What belongs here: the faults, what is expected, what must not change, how to watch. What does
not: any knowledge of how the product solves it beyond the name of the playbook.

Most drills are directories below `drills/` of the repository, without Python:

    definition.py  what a directory says, read and checked
    shelf.py       where they lie
    beds/          where they break things, thrown away afterwards
    guest.py       the agent of a bed
    case.py        one drill, from the bed to the verdict
    verdict.py     was it what was expected
    sites.py       control planes without a history
    trial.py       a drill's fault and orders straight to a real executor
    real.py        which drill proves which playbook here, for `playbook test --real`
    listing.py     every drill as one document, quickly
    campaign.py    all of them, with a state; report.py, report_page.py its numbers and page

Four are Python and break the sandbox of the data directory; `demo` and proving records use them:

    drill.py       what such a drill is
    <fault>.py     one fault each, with services.py
    library.py     all of them by name; YAML variations of one
    follow.py      from the fault to the closed incident, through the public API
    story.py       an incident's story as lines of five stages
    screen.py      those lines on a terminal, or one after the other
    scoring.py     was it what was expected
    proving.py     a drill's fault and orders straight to a real executor
    web_service.py the service that some drills break

Add a drill: a directory, as docs/how-to/write-a-drill.md says. This file imports nothing: agents
start `web_service` through it.
"""
