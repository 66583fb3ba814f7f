"""The report as one HTML file: no script, nothing loaded from anywhere, readable in print.

Everything that comes from outside (names of hosts, metrics, alerts) is escaped; the policy in the
head keeps a browser from loading or running anything even where that failed.
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_MOST_ROWS: Final = 2000  # incidents on the page; report.json has all
_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --dim: #777; --good: #2b8a3e; --bad: #c92a2a; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { margin-top: 2.2rem; font-size: 1.2rem; }
.dim { color: var(--dim); } .good { color: var(--good); } .bad { color: var(--bad); }
.cards { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.5rem 0; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1.1rem; min-width: 9rem; }
.card b { display: block; font-size: 1.7rem; line-height: 1.2; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 500; color: var(--dim); }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem .35rem 0; }
td { vertical-align: top; } td:first-child { white-space: nowrap; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: 90px; } rect { fill: #4c6ef5; }
@media print { .card, tr { break-inside: avoid; } }
""".strip()
_ROUTES: Final = {
    "RUN": "runs",
    "RUN_AND_VERIFY": "runs, verified",
    "ASK": "asks",
    "DRY_RUN": "shows what it would do",
    "ESCALATE": "to people",
}
Cell = str | int | float


def render(found: Mapping[str, Any]) -> str:
    """Return the page of a report."""
    parts = [
        _head(found),
        _cards(found),
        _chart(found["days_raised"], found["from"]),
        *_missing(found),
        *_playbooks(found),
        *_alerts(found),
        *_hosts(found),
        *_incidents(found),
        "<h2>What this rests on</h2><ul>",
        *(f"<li>{_text(one)}</li>" for one in found["assumptions"]),
        "</ul></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _head(found: Mapping[str, Any]) -> str:
    span = f"{found['from'][:10]} to {found['to'][:10]}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Backtest {_text(span)}</title>\n<style>{_STYLE}</style></head><body>\n"
        f"<h1>What would have been raised and done</h1>\n"
        f'<p class="dim">{_text(found["prometheus"])}, {_text(span)}, {found["days"]} days, '
        f"a reading each {found['step_s']} s, as environment {_text(found['environment'])}</p>"
    )


def _cards(found: Mapping[str, Any]) -> str:
    totals, alerts = found["totals"], found["alerts"]
    cards = [
        (totals["incidents"], f"incidents on {totals['hosts']} hosts"),
        (totals["per_host_week"], "per host and week"),
        (totals["with_playbook"], "have a playbook"),
        (totals["unattended_once_earned"], "would run unattended once earned"),
        (f"{totals['minutes_saved'] / 60:.1f} h", "of work saved (estimate)"),
        (
            "-" if alerts is None else alerts["unconfirmed"],
            "no alert history to compare with" if alerts is None else "no alert of yours near",
        ),
    ]
    shown = "".join(f'<div class="card"><b>{_text(n)}</b>{_text(what)}</div>' for n, what in cards)
    return f'<div class="cards">{shown}</div>'


def _chart(counts: Sequence[int], since: str) -> str:
    most = max([*counts, 1])
    width = 100 / max(len(counts), 1)
    bars = "".join(
        f'<rect x="{at * width:.3f}" y="{80 - 80 * count / most:.2f}" width="{width * 0.85:.3f}" '
        f'height="{80 * count / most:.2f}"><title>day {at + 1}: {count}</title></rect>'
        for at, count in enumerate(counts)
    )
    return (
        f'<svg viewBox="0 0 100 80" preserveAspectRatio="none" role="img" '
        f'aria-label="incidents a day">{bars}</svg>\n'
        f'<p class="dim">incidents a day from {_text(since[:10])} on; the highest bar is {most}</p>'
    )


def _missing(found: Mapping[str, Any]) -> Iterable[str]:
    yield "<h2>What is missing to automate more</h2>"
    rows = [
        (one["incidents"], one["kind"], one["for"], one["way"])
        for one in found["missing"]
    ]  # fmt: skip
    yield _table(("incidents#", "missing", "for", "what to do"), rows, "nothing")


def _playbooks(found: Mapping[str, Any]) -> Iterable[str]:
    yield "<h2>Which playbooks</h2>"
    rows = [
        (
            one["playbook"], one["incidents"], one["hosts"], _routes(one["routes_first_day"]),
            _routes(one["routes_earned"]), one["minutes_saved"],
        )
        for one in found["playbooks"]
    ]  # fmt: skip
    headings = (
        *("playbook", "incidents#", "hosts#", "on the first day", "once earned"),
        "minutes saved#",
    )
    yield _table(headings, rows, "no playbook is for any of these incidents")


def _alerts(found: Mapping[str, Any]) -> Iterable[str]:
    yield "<h2>Against your own alerts</h2>"
    said = found["alerts"]
    if said is None:
        yield "<p>No alert fired in this time, so nothing can be said about false alarms.</p>"
        return
    yield _table(
        ("", "#"),
        [
            ("incidents with an alert of the same symptom", said["same_symptom"]),
            ("incidents with another alert on the same host", said["same_host"]),
            ("incidents with no alert near: false alarms, or not alerted on", said["unconfirmed"]),
            ("of these, per host and week", said["unconfirmed_per_host_week"]),
            ("times that your alerts fired", said["episodes"]),
            ("on hosts of this history", said["of_hosts"]),
            ("with an incident near", said["met"]),
        ],
        "",
    )
    if said["not_raised"]:
        yield "<h3>Your alerts near which nothing was raised</h3>"
        rows = [(one["alert"], one["episodes"]) for one in said["not_raised"]]
        yield _table(("alert", "times#"), rows, "")


def _hosts(found: Mapping[str, Any]) -> Iterable[str]:
    yield "<h2>Hosts</h2>"
    hosts = sorted(found["hosts"], key=lambda one: (-one["incidents"], one["host"]))
    rows = [(one["host"], one["series"], one["days"], one["incidents"]) for one in hosts]
    headings = ("host", "series#", "days with readings#", "incidents#")
    yield _table(headings, rows, "no host has readings")


def _incidents(found: Mapping[str, Any]) -> Iterable[str]:
    yield "<h2>Incidents</h2>"
    shown = found["incidents"][:_MOST_ROWS]
    if len(shown) < len(found["incidents"]):
        yield f"<p>The first {_MOST_ROWS} of {len(found['incidents'])}; report.json has all.</p>"
    rows = [
        (
            one["opened_at"][:16].replace("T", " "),
            one["host"],
            f"{one['severity']}: {one['reason']}",
            one["minutes"] if one["ended_at"] else f"{one['minutes']}, stands",
            one["playbook"] or "none",
            f"{_ROUTES[one['route_first_day']]}, then {_ROUTES[one['route_earned']]}",
            "; ".join(f"{step['kind']}: {step['reason']}" for step in one["missing"]) or "nothing",
            "-" if one["alerts"] is None else ", ".join([one["alerts"], *one["alert_names"]]),
        )
        for one in shown
    ]
    headings = (
        *("opened (UTC)", "host", "what", "minutes#", "playbook", "first day, then earned"),
        *("missing", "your alerts"),
    )
    yield _table(headings, rows, "nothing would have been raised")


def _routes(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {_ROUTES[name]}" for name, count in sorted(counts.items()))


def _table(headings: Sequence[str], rows: Sequence[Sequence[Cell]], empty: str) -> str:
    """Return a table; a heading that ends in # is of numbers."""
    if not rows:
        return f'<p class="dim">{_text(empty)}</p>'
    classes = [' class="n"' if one.endswith("#") else "" for one in headings]
    head = "".join(
        f"<th{kind}>{_text(one.removesuffix('#'))}</th>"
        for one, kind in zip(headings, classes, strict=True)
    )
    body = "\n".join(
        "<tr>"
        + "".join(f"<td{kind}>{_text(cell)}</td>" for cell, kind in zip(row, classes, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>\n{body}</table></div>'


def _text(value: Cell) -> str:
    return html.escape(str(value))
