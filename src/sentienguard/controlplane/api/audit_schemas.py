"""What crosses the public API about the audit log, as OpenAPI sees it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class CheckpointView(BaseModel):
    """The newest signed checkpoint of the audit log."""

    origin: str
    size: int
    root: str
    signed_at: datetime | None
    note: str
    cosigned_by: list[str]
    exposure_s: float | None = Field(description="age of the newest checkpoint a witness holds")


class WitnessView(BaseModel):
    """What one outsider holds of the log."""

    name: str
    host: str = Field(description="where it runs, of an agent that the caller may see; or empty")
    sort: str = Field(description="agent, s3 or rfc3161")
    size: int = Field(description="entries that its newest checkpoint covers; 0: none yet")
    at: datetime | None
    problem: str = Field(description="why the last try failed; empty: it worked")


class ExposureView(BaseModel):
    """How much of the log nobody else holds yet, by the witness policy."""

    policy: str
    size: int
    covered: int = Field(description="entries that all witnesses of the policy have seen")
    exposed: int = Field(description="entries that could still be rewritten unseen")
    covered_at: datetime | None
    window_s: float | None = Field(
        description="age of what is covered while anything is exposed; null: nothing is covered"
    )
    lacking: str = Field(description="what the policy still wants; empty: nothing")
    witnesses: list[WitnessView]


class AuditEntryView(BaseModel):
    """One leaf of the audit log."""

    index: int
    at: datetime
    kind: str
    source: str
    actor: str
    host: str = Field(description="host of the agent that wrote it or asked for it; empty: none")
    incident: str
    leaf_hash: str
    data: dict[str, Any]


class AuditPage(BaseModel):
    """One page of leaves, newest first."""

    items: list[AuditEntryView]
    next_cursor: str | None


class ContentView(BaseModel):
    """What an entry keeps beside the log, such as a step's output; the leaf has its digest."""

    sha256: str
    type: str = Field(description="media type")
    length: int = Field(description="bytes")
    state: Literal["kept", "erased", "missing", "unreadable"] = Field(
        description="erased: on purpose; missing: it never came here; unreadable: damaged, or its "
        "key cannot be had now"
    )


class ProofView(BaseModel):
    """An inclusion proof that anyone can check against the checkpoint."""

    index: int
    host: str = Field(description="host of the agent that wrote it or asked for it; empty: none")
    leaf: str = Field(description="the stored bytes of the leaf, as text")
    leaf_hash: str
    tree_size: int
    path: list[str]
    checkpoint: str
    contents: list[ContentView]


class Finding(BaseModel):
    """One result of a verification."""

    check: str
    passed: bool
    detail: str


class VerificationView(BaseModel):
    """The result of a full verification of the audit log."""

    passed: bool
    entries: int
    seconds: float
    findings: list[Finding]
