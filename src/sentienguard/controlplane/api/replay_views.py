"""A decision that was made again, as the API shows it."""

from typing import Any

from pydantic import BaseModel, Field

from sentienguard.controlplane.api import views
from sentienguard.controlplane.api.incident_schemas import DecisionView
from sentienguard.controlplane.api.views import RouteName
from sentienguard.flow.replaying import Replay, WhatIf
from sentienguard.model.decision import Decision, Verdict


class ReplayUnder(BaseModel):
    """Another policy: rules with the settings that it changes."""

    policy: dict[str, Any] = Field(
        description="Settings by rule; what is left out stays as it was when the decision was made",
        examples=[{"confidence": {"run_from": 0.97}}],
    )


class DifferenceView(BaseModel):
    """One field of the decision that came out otherwise."""

    field: str
    recorded: str
    replayed: str


class ChangeView(BaseModel):
    """Something that is another version today than when the decision was made."""

    what: str
    recorded: str
    today: str


class SettingView(BaseModel):
    """One setting that the other policy changes."""

    setting: str
    recorded: str
    under: str


class RuleView(BaseModel):
    """What one rule says under both policies; null where it is not in one of them."""

    rule: str
    recorded_route: RouteName | None
    recorded_reason: str
    under_route: RouteName | None
    under_reason: str
    changed: bool
    deciding: bool = Field(description="It holds the route down under the other policy")


class WhatIfView(BaseModel):
    """What another policy would have decided on the same facts."""

    recorded_route: RouteName
    under_route: RouteName
    decision: DecisionView
    settings: list[SettingView]
    rules: list[RuleView]


class ReplayView(BaseModel):
    """What came of making a decision again."""

    incident: str
    identical: bool = Field(description="The same bytes came out")
    recorded: str = Field(description="Digest of the decision that the audit log has")
    replayed: str = Field(description="Digest of the decision that comes out now")
    decision: DecisionView
    differences: list[DifferenceView]
    changes: list[ChangeView]
    notes: list[str]
    what_if: WhatIfView | None


def replay(found: Replay) -> ReplayView:
    """Show what came of a replay."""
    return ReplayView(
        incident=found.incident,
        identical=found.is_identical,
        recorded=found.recorded,
        replayed=found.replayed,
        decision=_decision(found.decision),
        differences=[
            DifferenceView(field=one.field, recorded=one.recorded, replayed=one.replayed)
            for one in found.differences
        ],
        changes=[
            ChangeView(what=one.what, recorded=one.recorded, today=one.today)
            for one in found.changes
        ],
        notes=list(found.notes),
        what_if=_what_if(found.decision, found.what_if) if found.what_if else None,
    )


def _what_if(made: Decision, found: WhatIf) -> WhatIfView:
    return WhatIfView(
        recorded_route=views.ROUTES[made.route],
        under_route=views.ROUTES[found.decision.route],
        decision=_decision(found.decision),
        settings=[
            SettingView(setting=name, recorded=was, under=is_)
            for name, (was, is_) in found.settings.items()
        ],
        rules=[
            RuleView(
                rule=one.rule,
                recorded_route=_route(one.recorded),
                recorded_reason=one.recorded.reason if one.recorded else "",
                under_route=_route(one.under),
                under_reason=one.under.reason if one.under else "",
                changed=one.recorded != one.under,
                deciding=one.under is not None and one.under.route == found.decision.route,
            )
            for one in found.rules
        ],
    )


def _route(verdict: Verdict | None) -> RouteName | None:
    return None if verdict is None else views.ROUTES[verdict.route]


def _decision(made: Decision) -> DecisionView:
    shown = views.decision(made)
    assert shown is not None  # noqa: S101  only no decision shows as none
    return shown
