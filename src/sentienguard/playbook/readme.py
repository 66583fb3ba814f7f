"""The one paragraph of a playbook's README that is read by the program: why it has its risk.

Called by controlplane.shipped and by `sentienguard playbook lint`. Rules:

1. It is one line that begins `**Risk.** LEVEL: `; the rest of the line is the reason. Nothing else
   of the text is read.
2. A level other than the playbook's own gives no reason: the text is about something else.
3. It is for people. Nothing is decided by it, and what the signed bytes say (`risk_reason`) goes
   first: see docs/adr/0025-a-reason-for-the-risk.md.
"""

import re
from typing import Final

from sentienguard.model.playbook import Risk
from sentienguard.playbook import parse

NAME: Final = "README.md"
_RISK: Final = re.compile(r"^\*\*Risk\.\*\* ([A-Z]+): (\S.*?)\s*$", re.MULTILINE)


def risk_reason(text: str, risk: Risk) -> str:
    """Return why a playbook has `risk`; empty where the README does not say."""
    said = _RISK.search(text)
    if said is None or said[1] != risk.value or len(said[2]) > parse.MAX_RISK_REASON:
        return ""
    return said[2] if said[2].isprintable() else ""
