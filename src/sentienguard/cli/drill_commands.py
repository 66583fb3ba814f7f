"""`drill` and `demo`: put a real, bounded fault on this machine and watch it being fixed."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import client, frame, up_commands
from sentienguard.cli.drills import follow, library, scoring, screen
from sentienguard.cli.installation import up
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


@app.command("list")
def list_(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Show every drill and what has to come of it."""
    shown = frame.open_frame(data, as_json)
    items = [
        {
            "name": name,
            "description": made.description,
            "expected": made.expected.sentence,
            "parameters": list(library.parameters_of(made)),
        }
        for name, made in library.DRILLS.items()
    ]
    rows = [(str(one["name"]), str(one["description"]), str(one["expected"])) for one in items]
    shown.answer(
        {"items": items}, frame.table("drill!", "what happens", "expected", rows=rows, empty="")
    )


@app.command("run")
def run(
    what: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A drill, or a YAML file.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
    ask: Ask = False,
) -> None:
    """Run one drill; status 0 only if what was expected happened and nothing else changed."""
    shown = frame.open_frame(data, as_json)
    chosen = library.choose(what)
    running, _ = _bring_up(shown)
    result = _perform(shown, running, chosen, ask=ask)
    shown.answer(result.document())
    if not as_json:
        _summarise(shown, result)
        shown.say(f"stop with    {frame.program()} down{up_commands.data_option(shown)}")
    raise typer.Exit(0 if result.passed else 1)


@app.command("run-all")
def run_all(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Run every drill, one after the other, and show a table."""
    shown = frame.open_frame(data, as_json)
    running, _ = _bring_up(shown)
    results = []
    for name in library.DRILLS:
        shown.explain(f"{name}: {library.DRILLS[name].description}")
        results.append(_perform(shown, running, library.choose(name), ask=False))
        shown.say()
    passed = all(result.passed for result in results)
    rows = [_row(result) for result in results]
    shown.answer(
        {"passed": passed, "items": [result.document() for result in results]},
        frame.table("drill!", "outcome", "remedy!", "time>", "as expected", rows=rows, empty=""),
    )
    for result in results:
        for check in result.checks:
            if not check.passed:
                shown.say(f"{result.drill}: {check.name}: {check.detail}")
    raise typer.Exit(0 if passed else 1)


def demo(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Fill up a disk for real and watch it being fixed (data directory: .demo)."""
    shown = frame.open_frame(data or up_commands.DEMO_DIRECTORY, as_json)
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
    rows = [
        (
            check.name,
            Text("yes" if check.passed else "NO", style="green" if check.passed else "bold red"),
            check.detail,
        )
        for check in result.checks
    ]
    shown.out.print(frame.table("checked", "", "", rows=rows, empty=""))
    shown.say()
    shown.say(f"incident     {result.page}")
    shown.say(f"record       {frame.short_path(Path(result.record))}")


def _row(result: scoring.Result) -> tuple[str | Text, ...]:
    passed = Text("yes", style="green") if result.passed else Text("NO", style="bold red")
    remedy = result.playbook or "none"
    return (
        result.drill,
        result.outcome.replace("_", " "),
        remedy,
        frame.seconds(result.seconds),
        passed,
    )


def _is_demo(shown: frame.Frame) -> bool:
    return shown.data == up_commands.DEMO_DIRECTORY.absolute()
