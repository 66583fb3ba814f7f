"""`backtest`: what would have been raised and decided over the history of a Prometheus."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sentienguard.adapters.minilm import embedder as minilm
from sentienguard.cli import frame, history_sources, prometheus_options, replay_view
from sentienguard.cli.backtest import alerts as alert_history
from sentienguard.cli.backtest import fetch, page, progress, report
from sentienguard.cli.backtest import judge as judges
from sentienguard.cli.backtest import plan as plans
from sentienguard.cli.backtest.state import State
from sentienguard.cli.history_sources import Prometheus
from sentienguard.flow import policy_file
from sentienguard.model import errors
from sentienguard.stages.decide.settings import DecideSettings
from sentienguard.stages.detect.settings import DetectSettings, Sensitivity

OUT = Path("backtest")
HISTORY_DAYS = 366


class NothingThere(errors.Rejected):
    """The server has no history that could be judged."""


def backtest(  # noqa: PLR0917  the options of a command
    prometheus: Annotated[
        str, typer.Option(metavar="URL", help="A server with Prometheus's HTTP API.")
    ],
    days: Annotated[
        int, typer.Option(min=1, max=HISTORY_DAYS, help="How many days are judged.")
    ] = 30,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where report and progress go.")] = OUT,
    alerts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Alerts as JSON, besides the server's ALERTS."),
    ] = None,
    alertmanager: Annotated[
        str | None, typer.Option(metavar="URL", help="Add what an Alertmanager has now.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Another policy, as for replay.")
    ] = None,
    sensitivity: Annotated[
        Sensitivity, typer.Option(help="low, medium or high; as the setting.")
    ] = Sensitivity.MEDIUM,
    environment: Annotated[str, typer.Option(help="What the hosts count as.")] = "production",
    minutes: Annotated[float, typer.Option(min=0, help="A person's work on one incident.")] = 30.0,
    rate: Annotated[float, typer.Option(min=0.01, help="Requests a second, at most.")] = 4.0,
    step: prometheus_options.Step = 60,
    host_label: prometheus_options.HostLabel = "instance",
    host: prometheus_options.Renamed = None,
    series: prometheus_options.Series = None,
    token_file: prometheus_options.TokenFile = None,
    user: prometheus_options.User = None,
    password_file: prometheus_options.PasswordFile = None,
    secret: prometheus_options.Named = None,
    secrets: prometheus_options.Stores = Path(),
    public: prometheus_options.Public = False,
    as_json: frame.Json = False,
) -> None:
    """Run detection, matching and policy over the history of a Prometheus, and write a report.

    The server is read and nothing is changed. Interrupted, the same command goes on where it was.
    """
    shown = frame.open_frame(None, as_json)
    proof = prometheus_options.Proof(token_file, user, password_file, secret, secrets, public)
    source = prometheus_options.server(prometheus, host_label, host, proof)
    if alertmanager is not None:
        prometheus_options.require_nobody(
            "--alertmanager", alertmanager, "fetch /api/v2/alerts yourself, and give it as --alerts"
        )
    wanted = plans.Plan(
        url=prometheus,
        days=days,
        end_s=round(time.time()) // step * step,
        step_s=step,
        environment=environment,
        host_label=host_label,
        renamed=source.renamed,
        recipes=plans.recipes([history_sources.recipe(one) for one in series or ()]),
    )
    lines = DecideSettings()
    if policy is not None:
        lines = policy_file.apply(replay_view.read_policy(policy), lines)
    detect = DetectSettings(sensitivity=sensitivity)
    own = [] if alerts is None else alert_history.read_file(alerts, wanted.end_s)
    try:
        with State(out, wanted) as state:
            if state.goes_on:
                until = frame.local(datetime.fromtimestamp(state.plan.end_s, UTC).isoformat())
                shown.note(f"going on with what {out} holds, up to {until}")
            _fetch(shown, source, state, fetch.Pace(rate))
            if alertmanager is not None:
                own += alert_history.ask(
                    alertmanager, state.plan.end_s, prometheus_options.way_to(alertmanager)
                )
            with shown.working("reading the library"):
                judge = judges.judge(
                    detect, lines, minilm.installed(), report.Assumed(minutes), own=own
                )
            found = judge.whole(shown, state)
    except KeyboardInterrupt as stop:
        raise errors.Unavailable(
            f"interrupted; the same command goes on from here, with what {out} holds"
        ) from stop
    _write(out, found)
    shown.answer(found)
    _say(shown, found, out)


def _fetch(shown: frame.Frame, source: Prometheus, state: State, pace: fetch.Pace) -> None:
    """Fetch what is missing; a metric that the server refuses is left out and said."""
    todo = fetch.missing(state)
    refused: dict[str, str] = {}
    with progress.shown(shown, "asking for history", len(todo)) as begin:
        for recipe, span in todo:
            name = "ALERTS" if recipe is None else recipe.metric
            begin(name)
            if name in refused:
                continue
            try:
                fetch.fetch(source, state, pace, recipe, span)
            except history_sources.SourceWrong as refusal:
                refused[name] = str(refusal)
    for name, why in refused.items():
        shown.note(f"{name} is left out: {why}")
    if not state.hosts():
        reason = next(iter(refused.values()), "no series of what was asked for has readings")
        raise NothingThere(f"{state.plan.url}: nothing to judge: {reason}")


def _write(out: Path, found: Mapping[str, Any]) -> None:
    texts = {
        "report.json": json.dumps(found, ensure_ascii=False, indent=1) + "\n",
        "report.html": page.render(found),
    }
    for name, text in texts.items():
        draft = out / f".{name}.new"
        draft.write_text(text, encoding="utf-8")
        draft.replace(out / name)


def _say(shown: frame.Frame, found: Mapping[str, Any], out: Path) -> None:
    totals, own = found["totals"], found["alerts"]
    shown.say(
        f"{totals['incidents']} incidents on {totals['hosts']} hosts in {found['days']} days, "
        f"{totals['with_playbook']} with a playbook, {totals['unattended_once_earned']} would run "
        "unattended once autonomy is earned"
    )
    shown.say(f"about {totals['minutes_saved'] / 60:.1f} hours of work saved (an estimate)")
    if own is None:
        shown.say("no alert fired in this time: nothing can be said about false alarms")
    else:
        shown.say(
            f"{own['unconfirmed']} incidents without an alert of yours near; {own['met']} of "
            f"{own['of_hosts']} of your alerts had an incident near"
        )
    for one in found["missing"][:5]:
        shown.say(f"missing for {one['incidents']}: {one['kind']} ({one['for']}): {one['way']}")
    shown.say(f"report: {out / 'report.html'}")
