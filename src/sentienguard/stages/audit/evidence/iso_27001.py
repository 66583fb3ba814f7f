"""ISO/IEC 27001:2022, annex A: logging, monitoring, clocks; with the numbers of 2013.

Called by frameworks. The 2013 edition had these controls as A.12.4.1 to A.12.4.4; auditors still
ask by those numbers. The sentences are ours.
"""

from typing import Final

from sentienguard.stages.audit.evidence.control import Control, Framework
from sentienguard.stages.audit.evidence.topics import Topic

FRAMEWORK: Final = Framework(
    name="iso-27001",
    title="ISO/IEC 27001",
    edition="2022, annex A (2013 numbers in brackets)",
    outside="The management system, its scope, the risk treatment and the certification are "
    "outside "
    "of this log.",
    controls=(
        Control(
            id="A.8.15",
            title="Logging",
            asks="Activities, exceptions and faults are recorded, kept, protected and analysed.",
            shows="Every entry of the period; all kinds count.",
            missing="The log holds nothing of the period: check that the control plane ran.",
            topics=frozenset(Topic),
            tags=("iso_a.8.15",),
            log_itself="That the entries are protected: each is proven to be in the signed log.",
            formerly="A.12.4.1, A.12.4.2, A.12.4.3",
        ),
        Control(
            id="A.8.16",
            title="Monitoring activities",
            asks="Networks, systems and applications are watched for what is not normal.",
            shows="Incidents with reading and baseline, decisions on them, alarms of hosts.",
            missing="No incident was opened. Show that detection works: `sentienguard drill "
            "run-all`.",
            topics=frozenset({
                Topic.DETECTION, Topic.DECISION, Topic.CLOSURE, Topic.ALARM, Topic.DRILL,
                Topic.OVERSIGHT,
            }),
            tags=("iso_a.8.16",),
            formerly="A.12.4.1; new as a control of its own",
        ),
        Control(
            id="A.8.17",
            title="Clock synchronisation",
            asks="Clocks of systems follow an agreed source of time.",
            shows="Alarms of hosts, among them those about clocks.",
            missing="No alarm was raised; the check of clocks over all entries remains. Evidence "
            "of "
            "the time source itself comes from the hosts.",
            topics=frozenset({Topic.ALARM}),
            log_itself="That no source's clock went back by more than five minutes.",
            formerly="A.12.4.4",
        ),
    ),
)  # fmt: skip
