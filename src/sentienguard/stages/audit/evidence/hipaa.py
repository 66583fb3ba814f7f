"""HIPAA Security Rule, technical safeguards: 45 CFR 164.312.

Called by frameworks. The numbers are the regulation's; the sentences are ours. The six years of
164.316(b)(2)(i) are about documentation; nothing here claims that the rule names audit logs.
"""

from typing import Final

from sentienguard.stages.audit.evidence.control import Control, Framework
from sentienguard.stages.audit.evidence.topics import Topic

_ACCESS: Final = frozenset({
    Topic.OVERSIGHT, Topic.EMERGENCY,
    Topic.LOGIN, Topic.DENIAL, Topic.ATTEMPT, Topic.ACCOUNT, Topic.ROLE, Topic.HOST, Topic.APPROVAL,
})  # fmt: skip

FRAMEWORK: Final = Framework(
    name="hipaa",
    title="HIPAA Security Rule",
    edition="45 CFR 164.312, technical safeguards",
    outside="Administrative and physical safeguards, agreements with associates, and which systems "
    "hold protected health information are outside of this log.",
    controls=(
        Control(
            id="164.312(a)(1)",
            title="Access control",
            asks="Only people and programs with granted rights reach the systems.",
            shows="Accounts, roles, tokens, logins, refusals, and approvals before something ran.",
            missing="Let people work with accounts of their own and check that refusals are "
            "recorded.",
            topics=_ACCESS,
            tags=("hipaa_164.312.a.1",),
        ),
        Control(
            id="164.312(a)(2)(ii)",
            title="Emergency access procedure",
            asks="There is a way to what is needed in an emergency, and its use can be examined.",
            shows="Rights for minutes that two people gave: who, where, for what, why, until when.",
            missing="No right was given in an emergency in the period; show the procedure and try "
            "it in an environment that nobody depends on.",
            topics=frozenset({Topic.EMERGENCY}),
            tags=("hipaa_164.312.a.2.ii",),
        ),
        Control(
            id="164.312(b)",
            title="Audit controls",
            asks="Activity in the systems is recorded and can be examined.",
            shows="Every entry of the period is such a record; all kinds count.",
            missing="The log holds nothing of the period: check that the control plane ran and "
            "that "
            "the period is the right one.",
            topics=frozenset(Topic),
            tags=("hipaa_164.312.b",),
            log_itself="That the record is complete: a contiguous range of the log, each row "
            "proven.",
        ),
        Control(
            id="164.312(c)(1)",
            title="Integrity",
            asks="Data is protected from improper change or destruction.",
            shows="Changes that were verified or undone, and what hosts refused.",
            missing="No change was verified in the period; the proofs of the log itself remain.",
            topics=frozenset({Topic.VERIFICATION, Topic.UNDO, Topic.ADMISSION, Topic.ALARM}),
            log_itself="That no row of this record was changed, removed or added after it was "
            "signed.",
        ),
        Control(
            id="164.312(d)",
            title="Person or entity authentication",
            asks="Whoever asks for access is who they claim to be.",
            shows="Logins of people with their address, and hosts enrolled with their keys.",
            missing="Nobody logged in and no host joined in the period; include an earlier period.",
            topics=frozenset({Topic.LOGIN, Topic.HOST}),
            tags=("hipaa_164.312.d",),
            log_itself="That each host's entry is signed with the key enrolled for that host.",
        ),
        Control(
            id="164.312(e)(1)",
            title="Transmission security",
            asks="Data on a network is guarded against access by others.",
            shows="Hosts that joined with pinned TLS identities, orders that hosts refused because "
            "signature, freshness or address did not hold, alarms.",
            missing="No host joined and no order was judged in the period; show a capture checked "
            "with `sentienguard verify-agent-traffic`.",
            topics=frozenset({Topic.HOST, Topic.ADMISSION, Topic.ALARM}),
        ),
    ),
)
