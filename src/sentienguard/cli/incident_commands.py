"""`incidents`: what happened, told from the public API."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from sentienguard.cli import (
    ask_commands,
    care_commands,
    client,
    diagnosis_view,
    frame,
    replay_view,
)
from sentienguard.cli.drills import story

app = typer.Typer(no_args_is_help=True, help="What happened, and what was done about it.")

for _command in (
    care_commands.ack,
    care_commands.assign,
    care_commands.note,
    care_commands.close,
    care_commands.reopen,
    ask_commands.postmortem,
):
    app.command()(_command)

Id = Annotated[str, typer.Argument(metavar="ID", help="For example inc_20260212_112600_a8f3b2c1.")]
_STYLES = {"critical": "red", "warning": "yellow", "info": ""}


@app.command("list")
def list_(  # noqa: PLR0917  # one argument for each option
    data: frame.Data = None,
    as_json: frame.Json = False,
    status: Annotated[str | None, typer.Option(help="OPEN, MITIGATING, CLOSED ...")] = None,
    outcome: Annotated[str | None, typer.Option(help="resolved, rolled_back ...")] = None,
    environment: Annotated[str | None, typer.Option(help="Only of this environment.")] = None,
    host: Annotated[str | None, typer.Option(help="Only of this host.")] = None,
    text: Annotated[str | None, typer.Option(help="Only with this text.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 20,
) -> None:
    """List incidents, newest first."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        page = asked.get(
            "/incidents",
            status=status,
            outcome=outcome,
            environment=environment,
            host=host,
            text=text,
            limit=limit,
        )
    shown.answer(page, frame.table(
        "opened", "incident!", "what", "state", "took>",
        rows=[_row(one) for one in page["items"]], empty="no incidents",
    ))  # fmt: skip


@app.command("show")
def show(incident: Id, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Tell one incident from the first sample to the last proof."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        told = asked.get(f"/incidents/{incident}")
        told["diagnosis"] = asked.get(f"/incidents/{incident}/diagnosis")
        page = f"{asked.server}/incidents/{incident}"
    shown.answer(told, frame.pairs(_facts(told, page)))
    shown.say()
    if not as_json:
        shown.out.print(_timeline(told))
        _candidates(shown, told)
        for line in diagnosis_view.lines(told["diagnosis"]):
            shown.say(line)


@app.command("record")
def record(incident: Id, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Print the incident record, rendered from the audit log; always JSON."""
    shown = frame.Frame(frame.open_frame(data, as_json).data, as_json=True)
    with client.connect(shown.data) as asked:
        shown.answer(asked.get(f"/incidents/{incident}/record"))


@app.command("replay")
def replay(
    incident: Id,
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YAML: what another policy would have decided."),
    ] = None,
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Make a decision again from the audit log; status 1 if it does not come out bit for bit."""
    shown = frame.open_frame(data, as_json)
    document = None if policy is None else replay_view.read_policy(policy)
    with client.connect(shown.data) as asked:
        path = f"/incidents/{incident}/replay"
        again = asked.get(path) if policy is None else asked.post(path, {"policy": document})
    shown.answer(again, *replay_view.shown(again))
    if not again["identical"]:
        raise typer.Exit(1)


@app.command("stop")
def stop(
    incident: Id,
    data: frame.Data = None,
    as_json: frame.Json = False,
    note: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Stop what is being done about an incident; what was done is undone."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        answer = asked.post(f"/incidents/{incident}/stop", {"note": note})
    shown.answer(answer, Text(f"{incident}: the host was told to stop and to undo"))


def _row(one: dict[str, Any]) -> tuple[str | Text, ...]:
    what = Text(f"{one['severity']} ", style=_STYLES.get(one["severity"], ""))
    series = story.series_name(one["metric"].removeprefix("system."), one["subject"])
    what.append(frame.plain(f"{series} {frame.number(one['value'])}"), style="")
    return (
        frame.local(one["opened_at"]),
        one["id"],
        what,
        state(one),
        frame.seconds(one["duration_s"]),
    )


def state(one: dict[str, Any]) -> str:
    """Return how an incident stands, in lower case words."""
    return str(one["outcome"] or one["status"]).replace("_", " ").lower()


def _facts(told: dict[str, Any], page: str) -> list[tuple[str, str]]:
    incident, decision, order = told["incident"], told["decision"], told["order"]
    rows = [
        ("incident", f"{incident['id']}  {state(incident)}"),
        ("host", f"{incident['host']}  {incident['environment']}"),
        ("symptom", f"{told['anomaly']['severity']}: {told['anomaly']['reason']}"),
        ("summary", incident["summary"]),
        (
            "opened",
            f"{frame.local(incident['opened_at'])}  took {frame.seconds(incident['duration_s'])}",
        ),
    ]
    rows += care_commands.facts(told)
    if decision:
        sure = decision["confidence"]
        confidence = (
            f", confidence {sure['value']:.2f} ({sure['low']:.2f} to {sure['high']:.2f})"
            if sure
            else ""
        )
        route = decision["route"].lower().replace("_", " ")
        rows.append(("decision", f"{route}: {decision['playbook'] or 'no playbook'}{confidence}"))
        parameters = ", ".join(f"{key}={value}" for key, value in decision["parameters"].items())
        if parameters:
            rows.append(("parameters", parameters))
        rows.append(("because", story.because(decision)))
    if told["approval"]:
        asked = told["approval"]
        rows.append(("approval", f"{asked['status']} {asked['decided_by'] or ''}"))
    if order:
        rows.append(("order", f"{order['id']}  {order['outcome'] or order['status']}"))
        if order["left_behind"]:
            rows.append(("not undone", ", ".join(order["left_behind"])))
    if incident["earlier"]:
        rows.append(("seen before", ", ".join(incident["earlier"][:5])))
    return [*rows, ("page", page)]


def _timeline(told: dict[str, Any]) -> Any:
    styles = {"good": "green", "bad": "yellow", "": ""}
    rows, before = [], ""
    for line in story.lines(told):
        heading = line.stage if line.stage != before else ""
        before = line.stage
        rows.append(
            (
                f"{line.at.astimezone():%H:%M:%S}.{line.at.microsecond // 100_000}",
                heading,
                Text(frame.plain(line.text), style=styles[line.tone]),
            )
        )
    return frame.table("at", "stage", "what", rows=rows, empty="")


def _candidates(shown: frame.Frame, told: dict[str, Any]) -> None:
    decision = told["decision"]
    if not decision or not decision["candidates"]:
        return
    shown.say()
    rows = [(one["playbook"], f"{one['score']:.3f}") for one in decision["candidates"][:3]]
    shown.out.print(frame.table("considered!", "score>", rows=rows, empty=""))
