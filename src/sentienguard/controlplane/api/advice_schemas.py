"""An adviser's opinion as the API shows it."""

from datetime import datetime

from pydantic import BaseModel, Field


class AdviceView(BaseModel):
    """An opinion of a language model, or why there is none."""

    standing: str = Field(description="What weight it had, in a sentence")
    model: str = Field(description="Name and address")
    asked_at: datetime
    offered: list[str] = Field(description="The closed list that it could choose from")
    given: bool = Field(description="There is an opinion")
    hypothesis: str = Field(description="The likeliest cause; text of a model")
    reasoning: str = Field(description="How the evidence leads there; text of a model")
    choice: str | None = Field(description="One of those offered; null: none of them")
    absent: str = Field(description="Why there is no opinion; empty: there is one")
    asked_back: list[str] = Field(description="What it asked of its read-only tools")
    took_ms: int
    turns: int
    tokens_in: int
    tokens_out: int
    dollars: float


class ExchangeView(BaseModel):
    """One request and its answer, exactly as they crossed."""

    sent: str
    heard: str
    failed: str = Field(description="Why nothing came of it; empty: a turn came of it")


class AdviceInFull(BaseModel):
    """An opinion with everything that crossed."""

    advice: AdviceView
    exchanges: list[ExchangeView]
