"""`drill` and `demo`: put a real, bounded fault on this machine and watch it being fixed."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from sentienguard.cli import client, frame, up_commands
from sentienguard.cli.drills import (
    campaign,
    case,
    definition,
    follow,
    library,
    listing,
    scoring,
    screen,
    shelf,
    trial,
)
from sentienguard.cli.drills.beds import leftovers
from sentienguard.cli.installation import ports, up
from sentienguard.cli.installation.places import Places

app = typer.Typer(no_args_is_help=True, help="Real, bounded faults, and watching them being fixed.")

DRILL_INTERVAL_S = 1.0  # so that a drill takes seconds
INTRODUCTION = (
    "A real fault is put on this machine, inside {sandbox} and nowhere else: {fault} "
    "SentienGuard has to notice it, decide, fix it within signed limits, check that it worked, "
    "and leave evidence that anybody can verify."
)

Ask = Annotated[
    bool, typer.Option("--ask", help="Leave questions to a person instead of approving them.")
]


Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME|PATH", help="This drill alone; may be given again."),
]
Bed = Annotated[
    str | None, typer.Option("--bed", help="node or sandbox; else the best that a drill can use.")
]


@app.command("list")
def list_(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Show every drill and what has to come of it."""
    shown = frame.open_frame(data, as_json)
    found = listing.document()
    rows = [
        (
            Text.assemble((str(one["name"]), "bold"), f"\n{frame.plain(str(one['description']))}"),
            f"{one['kind']}: {one['expected']}",
        )
        for one in found["items"]
    ]
    shown.answer(
        found,
        frame.table("drill, and what happens", "expected", rows=rows, empty=""),
    )


@app.command("run")
def run(
    what: Annotated[
        str, typer.Argument(metavar="NAME|PATH", help="A drill, its directory, or a YAML file.")
    ],
    data: frame.Data = None,
    as_json: frame.Json = False,
    ask: Ask = False,
    bed: Bed = None,
) -> None:
    """Run one drill; status 0 only if what was expected happened and nothing else changed.

    A drill in a directory runs its scripts as you: read those of others before.
    """
    shown = frame.open_frame(data, as_json)
    if shelf.knows(what):
        raise typer.Exit(_run_definition(shown, shelf.find(what), bed))
    chosen = library.choose(what)
    running, _ = _bring_up(shown)
    result = _perform(shown, running, chosen, ask=ask)
    shown.answer(result.document())
    if not as_json:
        _summarise(shown, result)
        shown.say(f"stop with    {frame.program()} down{up_commands.data_option(shown)}")
    raise typer.Exit(0 if result.passed else 1)


@app.command("run-all")
def run_all(  # noqa: PLR0917  # one argument for each option
    data: frame.Data = None,
    as_json: frame.Json = False,
    only: Only = None,
    bed: Bed = None,
    at_once: Annotated[
        int, typer.Option("--at-once", min=1, max=16, help="Drills at the same time.")
    ] = 2,
    trials: Annotated[
        int,
        typer.Option(
            "--trials", min=0, max=50, help="Runs that prove a playbook without a signed record."
        ),
    ] = trial.RUNS,
    again: Annotated[
        bool, typer.Option("--again", help="Also those that have run in this data directory.")
    ] = False,
) -> None:
    """Run all drills that lie in directories, and write a report; goes on where it was cut off."""
    shown = frame.open_frame(data, as_json)
    drills = shelf.chosen(only or ())
    wanted = campaign.Campaign(drills, shown.data, at_once, bed, trials, again, shown.note)
    found = wanted.run(lambda one, at, of: shown.note(_progress(one, at, of)))
    shown.answer({**found, "directory": str(wanted.directory)})
    if not as_json:
        _summarise_all(shown, found, wanted.directory)
    raise typer.Exit(0 if found["totals"]["passed"] == found["totals"]["drills"] else 1)


def demo(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Fill up a disk for real and watch it being fixed (data directory: .demo)."""
    shown = frame.open_frame(data or frame.DEMO_DIRECTORY, as_json)
    chosen = library.choose("disk-full")
    shown.explain(
        INTRODUCTION.format(
            sandbox=frame.short_path(Places(shown.data).sandbox), fault=chosen.maker.description
        )
    )
    shown.say()
    running, seconds = _bring_up(shown)
    login = running.login
    shown.say(f"SentienGuard runs at {running.address} (started in {seconds:.1f} s).")
    shown.say()
    result = _perform(shown, running, chosen, ask=False)
    shown.answer({**result.document(), "installation": up_commands.document(running)})
    if not as_json:
        _summarise(shown, result)
        option = f" --data {frame.short_path(shown.data)}"
        shown.say()
        shown.say(f"dashboard    {running.address}")
        if login is not None:
            shown.say(f"log in as    {login.name}, password {login.password}")
        shown.say(f"look closer  {frame.program()} incidents show {result.incident}{option}")
        shown.say(f"more drills  {frame.program()} drill run-all{option}")
        shown.say(
            "stop with    make down"
            if _is_demo(shown)
            else f"stop with    {frame.program()} down{option}"
        )
    raise typer.Exit(0 if result.passed else 1)


def _bring_up(shown: frame.Frame) -> tuple[up.Running, float]:
    """Start what does not run, and say how long that took."""
    places = Places(shown.data)
    began = time.monotonic()
    standing = up.enrolled_interval(places)
    wish = up.Wish(places, drills=True, interval_s=None if standing else DRILL_INTERVAL_S)
    with shown.working("starting SentienGuard") as tell:
        running = up.bring_up(wish, tell)
    return running, time.monotonic() - began


def _perform(
    shown: frame.Frame, running: up.Running, chosen: library.Chosen, *, ask: bool
) -> scoring.Result:
    console = shown.err if shown.as_json else shown.out
    with client.connect(shown.data, here=True) as asked, screen.on(console) as lines:
        return follow.Run(chosen, running, asked, lines, ask).perform()


def _site(running: up.Running) -> case.Site:
    port = ports.read_settings(running.places.centre)["agents_port"]
    return case.Site(running.places, int(port))


def _run_definition(shown: frame.Frame, wanted: definition.Definition, kind: str | None) -> int:
    """Run a drill that lies in a directory, show what came of it, return the status."""
    running, _ = _bring_up(shown)
    site = _site(running)
    leftovers.sweep(site.beds)
    shown.explain(f"{wanted.name}: {wanted.about}")
    with client.connect(shown.data, here=True) as asked:
        found = case.run(wanted, site, asked, kind=kind, tell=_once(shown))
    shown.answer(found.document())
    if shown.as_json:
        return 0 if found.passed else 1
    shown.say()
    if found.trouble:
        shown.say(f"nothing can be learnt: {found.trouble}")
    verdict = "as expected: " if found.passed else "NOT as expected, which was: "
    shown.say(f"{verdict}{found.expected}, on a {found.bed or 'bed that could not be made'}")
    shown.out.print(frame.table("checked", "", "", rows=_checked(found.checks), empty=""))
    return 0 if found.passed else 1


def _once(shown: frame.Frame) -> Callable[[str], None]:
    """Return what says each thing once."""
    said: set[str] = set()

    def tell(text: str) -> None:
        if text not in said:
            said.add(text)
            shown.note(text)

    return tell


def _progress(one: Mapping[str, Any], at: int, of: int) -> str:
    verdict = "as expected" if one["passed"] else "NOT as expected"
    why = [f"{check['name']}: {check['detail']}" for check in one["checks"] if not check["passed"]]
    said = "; ".join([*why, *([one["trouble"]] if one["trouble"] else [])])
    ended = str(one["ended"]).replace("_", " ")
    return f"{at} of {of}  {one['name']}  {verdict}: {ended}" + (f" ({said})" if said else "")


def _summarise_all(shown: frame.Frame, found: Mapping[str, Any], directory: Path) -> None:
    totals = found["totals"]
    median, most = (frame.seconds(totals[f"fixed_{name}_s"]) for name in ("median", "p90"))
    restored = f"{totals['rollbacks_restored']} of {totals['rollbacks']}"
    rows = [
        ("ended as they should", f"{totals['passed']} of {totals['drills']}"),
        (
            "faults resolved without a person",
            f"{totals['unattended']} of {totals['unattended_of']}",
        ),
        ("harmful actions", str(totals["harmful"])),
        ("decoys treated rightly", f"{totals['decoys_right']} of {totals['decoys']}"),
        (
            "fault to verified fix",
            f"median {median}, nine in ten {most}",
        ),
        ("undone tries that restored all", restored),
        ("wrong playbook chosen", str(totals["wrong_playbook"])),
        ("rightly left to people", f"{totals['escalations_right']} of {totals['escalations']}"),
        ("page", frame.short_path(directory / "report.html")),
    ]  # fmt: skip
    shown.out.print(frame.pairs(rows))


def _checked(checks: Sequence[scoring.Check]) -> list[tuple[str | Text, ...]]:
    return [
        (
            check.name,
            Text("yes" if check.passed else "NO", style="green" if check.passed else "bold red"),
            check.detail,
        )
        for check in checks
    ]


def _summarise(shown: frame.Frame, result: scoring.Result) -> None:
    """Show how it ended, what was checked and where to look."""
    shown.say()
    verdict = Text(
        "as expected: " if result.passed else "NOT as expected, which was: ",
        style="bold green" if result.passed else "bold red",
    )
    verdict.append(result.expected, style="")
    verdict.append(f" in {frame.seconds(result.seconds)}", style="")
    shown.out.print(verdict)
    if not result.passed and result.outcome == "escalated":
        shown.explain(
            "It was left to people, as the line on the outcome says. Where that is because of what "
            "happened here before, a fresh data directory (--data DIR) has no such history."
        )
    stages = "   ".join(f"{one.stage} {frame.seconds(one.seconds)}" for one in result.timings)
    shown.out.print(Text(stages, style="dim"))
    shown.out.print(frame.table("checked", "", "", rows=_checked(result.checks), empty=""))
    shown.say()
    shown.say(f"incident     {result.page}")
    shown.say(f"record       {frame.short_path(Path(result.record))}")


def _is_demo(shown: frame.Frame) -> bool:
    return shown.data == frame.DEMO_DIRECTORY.absolute()
