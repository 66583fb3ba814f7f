"""Another policy, as a document that people write: rule by rule, the settings that it changes.

Called by `replaying` and by the backtest. What a document leaves out stays as it was. Rules that
have nothing to set (risk, exclusions, the kill switch and the others) cannot be named: no document
makes them permit more.

    confidence: {run_from: 0.97}
    earned_autonomy: {autonomy_successes: 10}
"""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any, Final

from sentienguard.model import errors
from sentienguard.model.advice import May
from sentienguard.stages.decide import policy
from sentienguard.stages.decide.settings import DecideSettings

# rule -> the settings that it looks at
SETTINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "confidence": ("run_from", "run_and_verify_from", "ask_from", "dry_run_from"),
    "earned_autonomy": (
        *("autonomy_successes", "shadow_runs", "drill_environment", "proving_share"),
        "autonomy_low",
    ),
    "service_budget": ("service_starts_per_hour",),
    "fleet_budget": ("fleet_starts_per_hour",),
    "circuit_breaker": ("breaker_failures",),
    "diagnosis": ("blame_from",),
    "advice": ("advice_may",),
}
_BANDS: Final = SETTINGS["confidence"]
_MOST: Final = 1_000_000  # of anything that is counted
_LONGEST_NAME: Final = 64


class PolicyWrong(errors.Rejected):
    """The document is no policy."""


def apply(document: object, base: DecideSettings) -> DecideSettings:
    """Return the settings with what the document changes. Raises PolicyWrong."""
    if not isinstance(document, Mapping) or not document:
        raise PolicyWrong(
            f"policy: expected rules with their settings, found {_short(document)}; rules that "
            f"have settings are {', '.join(SETTINGS)}"
        )
    changes: dict[str, Any] = {}
    for rule, given in document.items():
        known = _known(rule)
        if not isinstance(given, Mapping):
            raise PolicyWrong(f"policy: {rule}: expected {', '.join(known)}, found {_short(given)}")
        for name, value in given.items():
            if name not in known:
                raise PolicyWrong(
                    f"policy: {rule} has no setting {_short(name)}; it has {', '.join(known)}"
                )
            changes[name] = _checked(f"{rule}.{name}", getattr(DecideSettings(), name), value)
    found = replace(base, **changes)
    _check_bands(found)
    return found


def differences(one: DecideSettings, other: DecideSettings) -> dict[str, tuple[str, str]]:
    """Return `rule.setting` -> its two values, for the settings that differ."""
    rules = {name: rule for rule, names in SETTINGS.items() for name in names}
    first, second = asdict(one), asdict(other)
    return {
        f"{rules.get(field.name, 'policy')}.{field.name}": (
            str(first[field.name]),
            str(second[field.name]),
        )
        for field in fields(DecideSettings)
        if first[field.name] != second[field.name]
    }


def _known(rule: object) -> tuple[str, ...]:
    if isinstance(rule, str) and rule in SETTINGS:
        return SETTINGS[rule]
    if rule in {one.__name__ for one in policy.RULES}:
        raise PolicyWrong(f"policy: rule {rule} has nothing to set; no policy changes it")
    raise PolicyWrong(f"policy: there is no rule {_short(rule)}; expected {', '.join(SETTINGS)}")


def _checked(where: str, default: object, value: object) -> object:
    """Return a value of the kind that its setting has."""
    if isinstance(default, May):
        if isinstance(value, str) and value in set(May):
            return May(value)
        raise PolicyWrong(f"policy: {where}: expected {', '.join(May)}, found {_short(value)}")
    if isinstance(default, str):
        if isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME:
            return value
        raise PolicyWrong(f"policy: {where}: expected a name, found {_short(value)}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PolicyWrong(f"policy: {where}: expected a number, found {_short(value)}")
    if isinstance(default, float):
        if 0.0 <= value <= 1.0:
            return float(value)
        raise PolicyWrong(f"policy: {where}: expected 0 to 1, found {_short(value)}")
    if isinstance(value, int) and 0 <= value <= _MOST:
        return value
    raise PolicyWrong(f"policy: {where}: expected a whole number from 0 on, found {_short(value)}")


def _check_bands(found: DecideSettings) -> None:
    """Refuse bands that a higher confidence would leave for a stricter route."""
    bounds = [getattr(found, name) for name in _BANDS]
    if bounds != sorted(bounds, reverse=True):
        said = ", ".join(f"{name} {bound:g}" for name, bound in zip(_BANDS, bounds, strict=True))
        raise PolicyWrong(f"policy: confidence: expected each band below the last, found {said}")


def _short(value: object) -> str:
    return f"{value!r:.80}"
