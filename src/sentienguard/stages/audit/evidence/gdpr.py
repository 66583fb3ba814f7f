"""GDPR, Regulation (EU) 2016/679: articles 30, 32 and 33. Called by frameworks.

The numbers are the regulation's; the sentences are ours. The log names people as actors, which is
processing of its own: its purpose is security, and erasing a blob's key erases what it held.
"""

from typing import Final

from sentienguard.stages.audit.evidence.control import Control, Framework
from sentienguard.stages.audit.evidence.topics import Topic

FRAMEWORK: Final = Framework(
    name="gdpr",
    title="GDPR",
    edition="Regulation (EU) 2016/679",
    outside="The lawful basis, the register of processing itself, rights of data subjects and "
    "whether "
    "personal data was touched by an incident are outside of this log.",
    controls=(
        Control(
            id="Article 30",
            title="Records of processing",
            asks="Who processes personal data keeps a record of it and of its security measures.",
            shows="Which people and hosts had access, and what was done to the systems and when.",
            missing="Nobody had access in the period; describe the processing in your own "
            "register.",
            topics=frozenset({
                Topic.LOGIN, Topic.ACCOUNT, Topic.ROLE, Topic.HOST, Topic.EXPORT, Topic.WORK,
            }),
        ),
        Control(
            id="Article 32",
            title="Security of processing",
            asks="Measures fit the risk: confidentiality, integrity, availability, restoring in "
            "time, "
            "and regular testing of all that.",
            shows="Refused access, approvals, verified remedies and undone ones, drills.",
            missing="Nothing was refused, repaired or drilled in the period; run "
            "`sentienguard drill run-all`.",
            topics=frozenset({
                Topic.DENIAL, Topic.ATTEMPT, Topic.APPROVAL, Topic.DECISION, Topic.RELEASE,
                Topic.ADMISSION, Topic.WORK, Topic.VERIFICATION, Topic.UNDO, Topic.STOP,
                Topic.SILENCE, Topic.DRILL, Topic.LOG,
            }),
            log_itself="That the record of these measures was not changed afterwards.",
        ),
        Control(
            id="Article 33",
            title="Telling the authority about a breach",
            asks="A personal data breach is told within 72 hours of knowing it, with what happened "
            "and what was done.",
            shows="For each incident when it was noticed, decided, answered and ended, which is "
            "the "
            "timeline such a notice needs.",
            missing="No incident was opened in the period. Whether one elsewhere was a breach is "
            "for "
            "people to judge.",
            topics=frozenset({
                Topic.DETECTION, Topic.DECISION, Topic.CLOSURE, Topic.VERIFICATION, Topic.ALARM,
            }),
        ),
    ),
)  # fmt: skip
