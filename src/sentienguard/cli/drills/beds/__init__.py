"""Beds: where a drill breaks things, thrown away afterwards.

Called by `case` and `trial`. What belongs here: making a place, running scripts there, taking it
down whatever happened. What does not: what is broken, and what is expected of it.

    bed.py          what a bed is, and what scripts see of it
    sandbox_bed.py  a directory and declared processes on this machine
    node_bed.py     a Debian host of its own: its root, processes, network and systemd
    node_image.py   the Debian root that nodes are layered upon, made once
    relay.py        the one connection out of a node: to the control plane
    leftovers.py    what a run left that was killed

Add a bed: a file with a class that offers `bed.Bed`, a line in `beds/choice.py` and in
`definition.BEDS`, a case in tests/integration/cli/test_drill_beds.py.
"""
