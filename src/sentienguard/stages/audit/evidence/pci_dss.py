"""PCI DSS 4.0.1, requirement 10: log and monitor access. Called by frameworks.

The numbers are the standard's; the sentences are ours. Its requirements 10.2.1.1 to 10.2.1.7 are
told apart by the kinds of entries that each section lists.
"""

from typing import Final

from sentienguard.stages.audit.evidence.control import Control, Framework
from sentienguard.stages.audit.evidence.topics import Topic

FRAMEWORK: Final = Framework(
    name="pci-dss",
    title="PCI DSS",
    edition="4.0.1, requirement 10",
    outside="Logs of the cardholder data environment itself, requirements 1 to 9, 11 and 12, and "
    "the "
    "assessment are outside of this log.",
    controls=(
        Control(
            id="10.2",
            title="Events are logged",
            asks="Individual access, administrative actions, access to logs, refused access, "
            "changes "
            "of credentials, and starting and stopping of logging leave a record with who, what, "
            "when, where and how it ended.",
            shows="Entries with actor, kind, time, environment, source and outcome; all kinds "
            "count.",
            missing="The log holds nothing of the period: check that the control plane ran.",
            topics=frozenset(Topic),
            tags=("pci_dss_requirement_10", "pci_dss_10.2.1.3", "pci_dss_10.2.1.6"),
        ),
        Control(
            id="10.3",
            title="Logs are protected from change",
            asks="Who may read logs is limited, they cannot be modified, and a change raises an "
            "alert.",
            shows="Refused access, built packages, alarms such as a log that shows two histories.",
            missing="No alarm and no refusal in the period; the proofs of the log itself remain.",
            topics=frozenset({Topic.EXPORT, Topic.DENIAL, Topic.ALARM, Topic.LOG}),
            tags=("pci_dss_10.3.4",),
            log_itself="That the rows are unchanged: they hash to the root that the log's key "
            "signed "
            "and, where hosts co-signed, that hosts saw.",
        ),
        Control(
            id="10.4",
            title="Logs are reviewed",
            asks="Logs are reviewed, with automation, and what is odd is followed up.",
            shows="Incidents that were detected and decided automatically, and how each ended.",
            missing="Nothing was followed up in the period; show the setting of detection and a "
            "drill.",
            topics=frozenset({
                Topic.DETECTION, Topic.DECISION, Topic.CLOSURE, Topic.ALARM, Topic.EXPORT,
            }),
        ),
        Control(
            id="10.5",
            title="Logs are kept",
            asks="Twelve months of logs are kept, three of them at hand.",
            shows="The first and the last entry of the log and of this period.",
            missing="Keep the log's directory or its copies for the time that you promised.",
            topics=frozenset({Topic.LOG}),
            log_itself="That the log reaches back to the entry named in the summary, without a "
            "gap.",
        ),
        Control(
            id="10.6",
            title="Time is consistent",
            asks="Clocks are synchronised, so that times can be compared.",
            shows="Alarms of hosts, among them those about clocks.",
            missing="No alarm was raised; the check of clocks over all entries remains.",
            topics=frozenset({Topic.ALARM}),
            log_itself="That no source's clock went back by more than five minutes; each entry "
            "stands "
            "in the order in which the log took it in.",
        ),
        Control(
            id="10.7",
            title="Failures of security controls are noticed",
            asks="A security control that fails is found, told and repaired soon.",
            shows="Alarms of hosts, orders that were refused, undone changes, freezes, restarts of "
            "the log.",
            missing="No failure was recorded in the period; show a drill.",
            topics=frozenset({
                Topic.ALARM, Topic.ADMISSION, Topic.UNDO, Topic.STOP, Topic.LOG, Topic.DRILL,
            }),
        ),
    ),
)  # fmt: skip
