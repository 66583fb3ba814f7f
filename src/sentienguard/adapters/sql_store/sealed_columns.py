"""Which columns are sealed, and to what each value is bound.

Called by the stores, which seal and open their values under data_keys, and by data_keys, which puts
all of them under a new key. To add one: a Column here, in SEALED; its store; a revision of the
tables that lets the next start seal what is there (`whole_us`, as v0021); a canary in
tests/support/sealed_store.py; its row in docs/how-to/seal-secrets-at-rest.md.
"""

import json
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Column:
    """A column whose values are sealed."""

    table: str
    key: str  # its primary key, or the first column of that
    name: str
    bound: tuple[str, ...] = ()  # what a value is bound to where the database gives the key
    numbered: bool = False  # the key is a number that rises
    also: str = ""  # the second column of its primary key, where that has two

    @property
    def keys(self) -> tuple[str, ...]:
        """Name the columns of its primary key."""
        return (self.key, self.also) if self.also else (self.key,)

    def place(self, key: str, *more: str | int) -> str:
        """Return what a value of this row is bound to: its key, or the values of `bound`."""
        row = json.dumps([key, *more]) if self.bound else key
        return f"{self.table}.{self.name}/{row}"


FACTOR_SECRET: Final = Column("factors", "id", "secret")
TICKET_CHALLENGE: Final = Column("tickets", "secret_sha256", "challenge")
SIGNING_SECRETS: Final = Column("webhook_tokens", "id", "signing_secrets")
LOGIN_ADDRESS: Final = Column("logins", "id", "address")
PASSWORD_HASH: Final = Column("users", "name", "password_hash")
BLOB_SECRET: Final = Column("audit_blobs", "sha256", "secret")
PERSON_KEY: Final = Column("people", "name", "secret")
ALERT: Final = Column(
    "alerts", "id", "alert", ("environment", "fingerprint", "starts_us", "status"), numbered=True
)
# Lines of a service that differ in nothing but their text may be swapped, and no others.
OUTSIDE_LINE: Final = Column(
    "outside_logs", "id", "text",
    ("environment", "host", "service", "at_us", "received_us", "severity"), numbered=True,
)  # fmt: skip
NOTICE: Final = Column("outbox", "id", "notice")
DECISION_TEXT: Final = Column("decisions", "incident", "decision")
DRAFT: Final = Column("playbook_drafts", "id", "body")
DRAFT_CASE: Final = Column("playbook_drafts", "id", "sim_case")
QUESTION: Final = Column("approvals", "id", "question")
QUESTION_REASON: Final = Column("approvals", "id", "reason")
ANSWER_NOTE: Final = Column("approvals", "id", "note")
# Not bound to the person, whose name a pseudonym may follow (people).
AGREEMENT_NOTE: Final = Column(
    "approval_agreements", "approval", "note", ("approval", "at_us"), also="person"
)
CHANGE: Final = Column("changes", "environment", "summary", ("environment", "id"), also="id")
EMERGENCY: Final = Column("emergencies", "id", "reason")
SETTLED: Final = Column("incident_care", "incident", "settled_because")
FREEZE: Final = Column("kill_switch", "one", "reason", numbered=True)
WINDOW: Final = Column("silences", "id", "reason")
REPORT: Final = Column("orders", "id", "report")
REFUSAL: Final = Column("orders", "id", "refused_because")
SEALED: Final = (
    FACTOR_SECRET,
    TICKET_CHALLENGE,
    SIGNING_SECRETS,
    LOGIN_ADDRESS,
    PASSWORD_HASH,
    BLOB_SECRET,
    PERSON_KEY,
    ALERT,
    OUTSIDE_LINE,
    DECISION_TEXT,
    NOTICE,
    DRAFT,
    DRAFT_CASE,
    QUESTION,
    QUESTION_REASON,
    ANSWER_NOTE,
    AGREEMENT_NOTE,
    CHANGE,
    EMERGENCY,
    SETTLED,
    FREEZE,
    WINDOW,
    REPORT,
    REFUSAL,
)


SEALED_BY_NAME: Final = {(one.table, one.name): one for one in SEALED}
