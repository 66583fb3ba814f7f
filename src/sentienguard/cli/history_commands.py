"""`history import`: the past of enrolled hosts out of Prometheus or CSV, for baselines at once."""

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sentienguard.cli import client, frame, prometheus_options
from sentienguard.cli.history_sources import NODE_EXPORTER, Stretch, read_csv, recipe
from sentienguard.model import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(no_args_is_help=True, help="What hosts did before they were enrolled.")
DAY_S = 86_400
AT_ONCE = 10_000  # readings in one request, well below a megabyte


@app.callback()
def group() -> None:
    """Keep `import` a command of its own beside those to come."""


@app.command("import")
def import_(  # noqa: PLR0917  the options of a command
    prometheus: Annotated[
        str | None, typer.Option(metavar="URL", help="A server with Prometheus's HTTP API.")
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="timestamp,host,metric,value and perhaps subject."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=89, help="How far back.")] = 14,
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
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Import the past of enrolled hosts, so that their baselines are of use at once.

    Readings of a host's own agent are never replaced, and importing again changes nothing.
    """
    shown = frame.open_frame(data, as_json)
    if (prometheus is None) == (csv is None):
        raise errors.Rejected("give --prometheus URL or --csv FILE, one of them")
    if csv is not None:
        stretches: Iterator[Stretch] = read_csv(csv)
    else:
        proof = prometheus_options.Proof(token_file, user, password_file, secret, secrets, public)
        source = prometheus_options.server(str(prometheus), host_label, host, proof)
        end = round(time.time()) // step * step
        wanted = [recipe(one) for one in series] if series else NODE_EXPORTER
        span = (end - days * DAY_S, end)
        stretches = (stretch for one in wanted for stretch in source.read(one, span, step))
    kept: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    with client.connect(shown.data) as asked, shown.working("importing") as tell:
        enrolled = {one["host"] for one in asked.get("/hosts")["items"]}
        for stretch in stretches:
            if stretch.host not in enrolled:
                skipped[stretch.host] += len(stretch.times_ms)
                continue
            tell(f"{stretch.host} {stretch.metric} {stretch.subject}")
            kept[stretch.host] += _send(asked, stretch)
        learned = {
            one: asked.post("/history/learn", {"host": one})["series"] for one in sorted(kept)
        }
    shown.answer({"kept": dict(kept), "not_enrolled": dict(skipped), "learned_series": learned})
    for one, count in sorted(kept.items()):
        shown.say(f"{one}: {count:,} readings imported, baselines of {learned[one]} series learned")
    for one, count in sorted(skipped.items()):
        shown.say(f"{one or '(no host)'}: not enrolled, {count:,} readings left out")
    if not kept and not skipped:
        shown.say("the source has no readings of that time")


def _send(asked: client.Client, stretch: Stretch) -> int:
    """Send a stretch, newest part first: what is kept already bounds what may come before it."""
    kept = 0
    for at in reversed(range(0, len(stretch.times_ms), AT_ONCE)):
        answer = asked.post(
            "/history",
            {
                "host": stretch.host,
                "metric": stretch.metric,
                "subject": stretch.subject,
                "times_ms": stretch.times_ms[at : at + AT_ONCE],
                "values": stretch.values[at : at + AT_ONCE],
            },
        )
        kept += int(answer["kept"])
    return kept
