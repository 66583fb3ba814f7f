"""SOC 2, trust services criteria of 2017 with the points of focus of 2022: the common criteria.

Called by frameworks. Numbers are those of AICPA TSP section 100; the sentences are ours.
"""

from typing import Final

from sentienguard.stages.audit.evidence.control import Control, Framework
from sentienguard.stages.audit.evidence.topics import Topic

FRAMEWORK: Final = Framework(
    name="soc2",
    title="SOC 2",
    edition="Trust services criteria 2017, points of focus 2022",
    outside="Policies, the risk assessment, vendor management and the examination itself are "
    "outside "
    "of this log.",
    controls=(
        Control(
            id="CC6.1",
            title="Logical access",
            asks="Access to systems is restricted to people and machines that were given it.",
            shows="Logins, refused access with role and address, tokens, enrolled hosts, keys that "
            "were rotated or due, and who approved what before it ran.",
            missing="Let people log in with accounts of their own, and check that a refused "
            "request "
            "leaves an access.denied entry.",
            topics=frozenset({
                Topic.OVERSIGHT, Topic.EMERGENCY, Topic.KEY,
                Topic.LOGIN, Topic.DENIAL, Topic.ATTEMPT, Topic.ACCOUNT, Topic.ROLE, Topic.HOST,
                Topic.APPROVAL, Topic.EXPORT,
            }),
            tags=("soc2_cc6.1",),
        ),
        Control(
            id="CC6.2",
            title="Joiners and leavers",
            asks="Accounts and credentials are made for those who were authorised, and removed.",
            shows="Accounts that were added, tokens made and revoked, hosts that joined.",
            missing="No account, token or host was added or removed in the period; show the list "
            "of "
            "accounts (`sentienguard users list`) instead.",
            topics=frozenset({Topic.ACCOUNT, Topic.HOST}),
            tags=("soc2_cc6.2",),
        ),
        Control(
            id="CC6.3",
            title="Roles and least privilege",
            asks="What somebody may do follows from a role, and changes of roles are controlled.",
            shows="Every change of a role with who made it, and refusals by role.",
            missing="No role changed in the period; show the roles that stand "
            "(`sentienguard users list`) and the review of them.",
            topics=frozenset({Topic.ROLE, Topic.EMERGENCY, Topic.DENIAL}),
            tags=("soc2_cc6.3",),
        ),
        Control(
            id="CC6.6",
            title="Threats from outside the boundary",
            asks="Access from outside is limited and attempts are noticed.",
            shows="Refused access with its address, attempts to run unapproved commands, orders "
            "that "
            "hosts refused.",
            missing="Nothing was refused in the period. Show that refusals are recorded: try a "
            "command that no playbook holds with `sentienguard-agent execute`.",
            topics=frozenset({Topic.DENIAL, Topic.ATTEMPT, Topic.ADMISSION, Topic.LOGIN}),
        ),
        Control(
            id="CC6.8",
            title="Unauthorised software",
            asks="Software that nobody authorised is prevented or found.",
            shows="Each order with the digest of its signed playbook as the host admitted or "
            "refused "
            "it, refused attempts, alarms of hosts.",
            missing="No order reached a host in the period; run a drill, whose order is admitted "
            "or "
            "refused by the same checks.",
            topics=frozenset({Topic.ADMISSION, Topic.ATTEMPT, Topic.ALARM}),
        ),
        Control(
            id="CC7.2",
            title="Monitoring for anomalies",
            asks="Systems are watched for what is not normal, and findings are analysed.",
            shows="Every detected incident with the reading and its baseline, and alarms of hosts.",
            missing="No incident was opened. Show that detection works: `sentienguard drill "
            "run-all`.",
            topics=frozenset({Topic.DETECTION, Topic.ALARM, Topic.DRILL, Topic.OVERSIGHT}),
            tags=("soc2_cc7.2",),
        ),
        Control(
            id="CC7.3",
            title="Evaluation of events",
            asks="Findings are judged for whether they are incidents and what they mean.",
            shows="For each incident the evidence taken, the decision with every reason, and the "
            "end.",
            missing="No incident was judged in the period; show the records of a drill.",
            topics=frozenset({
                Topic.DETECTION, Topic.DECISION, Topic.CLOSURE, Topic.VERIFICATION,
                Topic.HANDLING,
            }),
            tags=("soc2_cc7.3",),
            log_itself="That the recorded judgements were not changed afterwards: the rows hash to "
            "the signed root of the log.",
        ),
        Control(
            id="CC7.4",
            title="Response to incidents",
            asks="Incidents are answered, contained, repaired and told about.",
            shows="Decision, approval, order, steps, verification and undo of each remedy.",
            missing="Nothing had to be answered in the period; show the records of a drill.",
            topics=frozenset({
                Topic.DETECTION, Topic.DECISION, Topic.APPROVAL, Topic.RELEASE, Topic.ADMISSION,
                Topic.WORK, Topic.VERIFICATION, Topic.UNDO, Topic.CLOSURE, Topic.HANDLING,
                Topic.STOP, Topic.SILENCE,
            }),
            tags=("soc2_cc7.4",),
        ),
        Control(
            id="CC8.1",
            title="Changes",
            asks="Changes are authorised, tested, approved and recorded.",
            shows="Each change of a host: which signed playbook, who approved, what ran, what was "
            "verified, what was undone; freezes and silences with their reason.",
            missing="Nothing was changed through SentienGuard in the period; changes made in other "
            "ways need their own evidence.",
            topics=frozenset({
                Topic.APPROVAL, Topic.RELEASE, Topic.ADMISSION, Topic.WORK, Topic.VERIFICATION,
                Topic.UNDO, Topic.STOP, Topic.SILENCE, Topic.PLAYBOOK,
            }),
            tags=("soc2_cc8.1",),
        ),
    ),
)  # fmt: skip
