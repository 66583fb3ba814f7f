"""What crosses the public API about who looks after an incident, as OpenAPI sees it."""

from datetime import datetime

from pydantic import BaseModel, Field


class CareView(BaseModel):
    """Who looks after an incident, and what they said in the end."""

    needs_people: bool = Field(description="in people's hands, and nobody said that it is fixed")
    reminders_stopped: bool = Field(description="somebody has it in hand: nobody is reminded")
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    assigned_to: str | None
    assigned_by: str | None
    assigned_at: datetime | None
    settled_by: str | None = Field(description="who closed it by hand")
    settled_at: datetime | None
    settled_because: str
    reopens: str | None = Field(description="the incident that this one goes on with")
    reopened_as: str | None = Field(description="the incident that goes on with this one")


class AssignRequest(BaseModel):
    """Whose an incident is."""

    to: str | None = Field(default=None, max_length=200, description="null: nobody's")


class NoteRequest(BaseModel):
    """A note for the story."""

    text: str = Field(min_length=1, max_length=1500)


class NoteAnswer(BaseModel):
    """Where a note is kept."""

    index: int = Field(description="leaf index in the audit log")


class ReasonRequest(BaseModel):
    """Why a person closes or reopens it."""

    reason: str = Field(min_length=1, max_length=500)
