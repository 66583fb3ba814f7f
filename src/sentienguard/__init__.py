"""SentienGuard: notice what is not normal, decide, act, prove that it worked, undo what did not.

Read `flow/incident.py` for what happens to an incident, `stages/` for how each part of that is
judged, and `ARCHITECTURE.md` for the codemap.
"""

__version__ = "0.1.0"
