"""The report as one HTML file: no script, nothing loaded from anywhere, readable in print."""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --dim: #777; --good: #2b8a3e; --bad: #c92a2a;
  --bar: #4c6ef5; }
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
td { vertical-align: top; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: currentColor; }
@media print { .card, tr { break-inside: avoid; } }
""".strip()
_ROW: Final = 18  # height of a bar with its gap
_LEFT, _WIDTH = 250, 860  # where bars begin, and the whole width
_POINTS: Final = 200  # height of the plot of shares


def render(found: Mapping[str, Any]) -> str:
    """Return the page of a report."""
    cases = found["cases"]
    parts = [
        _head(found),
        _cards(found["totals"]),
        "<h2>From fault to verified fix</h2>",
        _bars([one for one in cases if one["seconds"] is not None]),
        "<h2>Share of faults fixed within a time</h2>",
        _shares([float(one["seconds"]) for one in cases if one["seconds"] is not None]),
        *_table_of("Faults", [one for one in cases if one["kind"] == "fault"]),
        *_table_of("Decoys", [one for one in cases if one["kind"] == "decoy"]),
        *_trials(found["trials"]),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _head(found: Mapping[str, Any]) -> str:
    beds = ", ".join(f"{count} on a {kind}" for kind, count in found["totals"]["beds"].items())
    audit = found["audit"]
    verified = "verified" if audit["passed"] else f"NOT verified {audit['detail']}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Drills {_text(found['at'][:10])}</title>\n<style>{_STYLE}</style></head><body>\n"
        "<h1>Drills: real faults, and what became of them</h1>\n"
        f'<p class="dim">{_text(found["at"])}, {found["processors"]} processors, load '
        f"{found['load']} at the end, {found['at_once']} drills at once, a sample each "
        f"{found['interval_s']:g} s; {_text(beds)}; {audit['logs']} audit logs with "
        f"{audit['entries']} entries {_text(verified)}</p>"
    )


def _cards(totals: Mapping[str, Any]) -> str:
    share = totals["unattended_percent"]
    cards = [
        (f"{totals['passed']} of {totals['drills']}", "drills ended as they should"),
        ("-" if share is None else f"{share:g} %",
         f"of {totals['unattended_of']} faults resolved without a person"),
        (totals["harmful"], "harmful actions"),
        (f"{totals['decoys_right']} of {totals['decoys']}", "decoys treated rightly"),
        (_seconds(totals["fixed_median_s"]), "median, fault to verified fix"),
        (_seconds(totals["fixed_p90_s"]), "of nine in ten"),
        (f"{totals['rollbacks_restored']} of {totals['rollbacks']}", "undone tries restored all"),
        (totals["wrong_playbook"], "wrong playbook chosen"),
        (f"{totals['escalations_right']} of {totals['escalations']}", "rightly left to people"),
        (f"{totals['with_person']} of {totals['with_person_of']}", "resolved after a person's yes"),
    ]  # fmt: skip
    shown = "".join(f'<div class="card"><b>{_text(n)}</b>{_text(what)}</div>' for n, what in cards)
    return f'<div class="cards">{shown}</div>'


def _bars(cases: Sequence[Mapping[str, Any]]) -> str:
    if not cases:
        return '<p class="dim">no fault was resolved</p>'
    ordered = sorted(cases, key=lambda one: float(one["seconds"]))
    most = max(float(one["seconds"]) for one in ordered)
    scale = (_WIDTH - _LEFT - 60) / most
    rows = []
    for at, one in enumerate(ordered):
        y, end = at * _ROW, float(one["seconds"]) * scale
        noticed = min(float(one["noticed_s"] or 0), float(one["seconds"])) * scale
        rows.append(
            f'<text x="{_LEFT - 6}" y="{y + 12}" text-anchor="end">{_text(one["name"])}</text>'
            f'<rect x="{_LEFT}" y="{y + 2}" width="{max(noticed, 0):.1f}" height="12" '
            'fill="#868e96"/>'
            f'<rect x="{_LEFT + noticed:.1f}" y="{y + 2}" width="{max(end - noticed, 1):.1f}" '
            'height="12" fill="var(--bar)"/>'
            f'<text x="{_LEFT + end + 5:.1f}" y="{y + 12}">{float(one["seconds"]):.1f} s</text>'
        )
    height = len(ordered) * _ROW + 4
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="seconds of each fault">'
        f'{"".join(rows)}</svg>\n<p class="dim">grey: until it was noticed; blue: until the fix '
        "was verified</p>"
    )


def _shares(times: Sequence[float]) -> str:
    if not times:
        return '<p class="dim">no fault was resolved</p>'
    ordered = sorted(times)
    most = max(5.0, math.ceil(ordered[-1] / 5) * 5)
    width, points = _WIDTH - 60, [(0.0, 0.0)]
    for at, seconds in enumerate(ordered, start=1):
        points += [(seconds, points[-1][1]), (seconds, at / len(ordered))]
    points.append((most, 1.0))
    line = " ".join(f"{40 + x / most * width:.1f},{10 + _POINTS * (1 - y):.1f}" for x, y in points)
    marks = "".join(
        f'<line x1="40" x2="{40 + width}" y1="{y:.0f}" y2="{y:.0f}" stroke="var(--line)"/>'
        f'<text x="34" y="{y + 4:.0f}" text-anchor="end">{share} %</text>'
        for share in (0, 50, 90, 100)
        for y in (10 + _POINTS * (1 - share / 100),)
    )
    ticks = "".join(
        f'<text x="{40 + part / 5 * width:.0f}" y="{_POINTS + 26}" text-anchor="middle">'
        f"{most * part / 5:g} s</text>"
        for part in range(6)
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_POINTS + 34}" role="img" aria-label="share of faults">'
        f'{marks}{ticks}<polyline points="{line}" fill="none" stroke="var(--bar)" '
        'stroke-width="2"/></svg>'
    )


def _table_of(title: str, cases: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    yield f"<h2>{_text(title)}: {len(cases)}</h2>"
    head = "".join(
        f"<th{' class=n' if name.endswith('#') else ''}>{_text(name.removesuffix('#'))}</th>"
        for name in ("drill", "bed", "expected", "what came of it", "noticed#", "fixed#", "right",
                     "what had to stay")
    )  # fmt: skip
    rows = "\n".join(_row(one) for one in sorted(cases, key=lambda one: str(one["name"])))
    yield f'<div class="wide"><table><tr>{head}</tr>\n{rows}</table></div>'


def _row(one: Mapping[str, Any]) -> str:
    failed = [f"{check['name']}: {check['detail']}" for check in one["checks"]
              if not check["passed"]]  # fmt: skip
    if one["trouble"]:
        failed.append(str(one["trouble"]))
    came = str(one["ended"]).replace("_", " ")
    remedy = f" ({one['playbook']})" if one["playbook"] else ""
    own = {"the fault was there", "outcome", "playbook", "no person", "looked at directly",
           "left alone", "in time"}  # fmt: skip
    kept = [check for check in one["checks"] if check["name"] not in own]
    stays = "<br>".join(
        f'<span class="{"good" if check["passed"] else "bad"}">{_text(check["name"])}</span>'
        for check in kept
    )
    verdict = (
        '<span class="good">yes</span>'
        if one["passed"]
        else f'<b class="bad">no</b><br>{_text("; ".join(failed))}'
    )
    return (
        f"<tr><td><b>{_text(one['name'])}</b><br><span class='dim'>{_text(one['about'])}</span>"
        f"</td><td>{_text(one['bed'])}</td><td>{_text(one['expected'])}</td>"
        f"<td>{_text(came + remedy)}</td><td class='n'>{_seconds(one['noticed_s'])}</td>"
        f"<td class='n'>{_seconds(one['seconds'])}</td><td>{verdict}</td><td>{stays}</td></tr>"
    )


def _trials(found: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    if not found:
        return
    yield "<h2>Proven before, straight on an executor</h2>"
    rows = "".join(
        f"<tr><td>{_text(one['playbook'])}</td><td>{_text(one['drill'])}</td>"
        f"<td class='n'>{one['verified']} of {one['runs']}</td>"
        f"<td>{_text(one['why_not'])}</td></tr>"
        for one in found
    )
    yield (
        "<table><tr><th>playbook</th><th>drill</th><th class=n>verified</th><th></th></tr>"
        f"{rows}</table>"
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _text(value: object) -> str:
    return html.escape(str(value))
