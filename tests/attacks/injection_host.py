"""A host that does nothing, answers each call as if it had, and records what it was given.

Called by `injection_effects` and the tests of the injection matrix. A call is its port and method
with every plain value that it got, in order, lists marked by where they begin and end.
"""

import dataclasses

from sentienguard.ports import (
    command_runner,
    databases,
    files,
    http_probe,
    locks,
    log_reader,
    open_files,
    remote_objects,
    services,
)
from sentienguard.stages.execute import host as hosts
from tests.support import pretend_host

RUNS = services.State(services.Status.RUNNING, 77, 1)
PROCESS = pretend_host.process(77, "word", started=7)
FOUND = files.Found("a.tmp", 1, 2, 3, 4)
ANSWERS = {
    "commands.run": command_runner.CommandResult(
        command_runner.Ending.EXITED, 0, "said", "", truncated=False, duration_ms=1
    ),
    "commands.locate": "/bin/tool",
    "databases.names": frozenset({"literal"}),
    "databases.ask": databases.Answer((("row",),)),
    "databases.act": (databases.Answer((), 1),),
    "facts.measure": 50.0,
    "files.find": files.Findings((FOUND,), more=False),
    **dict.fromkeys(("files.delete", "files.truncate", "files.move", "files.move_back"), 1),
    "files.read": b"word = before\n",
    "files.replace": None,
    "http.ask": http_probe.Answer(200, 1, ""),
    "logs.mark": log_reader.Mark(1, 1),
    "logs.lines": ("a line",),
    "processes.find": PROCESS,
    "processes.named": (PROCESS,),
    "processes.cpu_percent": 1.0,
    **dict.fromkeys(("processes.send", "processes.renice"), None),
    "processes.wait_gone": True,
    "services.describe": services.Service(
        "literal", "http://127.0.0.1:8080/of", "/var/log/of", "/etc/of.conf"
    ),
    "services.state": RUNS,
    "services.leftovers": 0,
    "services.end_leftovers": 0,
    **{f"services.{verb}": None for verb in ("start", "stop", "kill", "reload")},
    "remotes.allow": None,
    "remotes.measure": 50.0,
    "remotes.look": {"seen": 1},
    "remotes.rehearse": "it would",
    "remotes.act": remote_objects.Acted("done"),
    "remotes.restore": remote_objects.Acted("done"),
    "servers.is_cache": True,
    "servers.setting": "before",
    "servers.change": None,
    "servers.choose": ("one",),
    "servers.do": True,
    "open_files.deleted": (open_files.Held(77, 7, 3, 1, 2, "/var/log/a.tmp", 2_000_000),),
    "open_files.truncate": True,
    "locks.stale": (locks.Lock("/run/a.lock", 77, "77", 0, 0, 0, 0),),
    "locks.remove": 1,
    "locks.put_back": 1,
    "kernel.value": 1,
    "kernel.change": None,
}
CLAIMED = {"files.volumes", "services.names"}  # what the host says that it has


class Port:
    """Records each call; answers the same whatever it is asked."""

    def __init__(self, name, calls, claims):
        self._name, self._calls, self._claims = name, calls, claims

    def __getattr__(self, method):
        name = f"{self._name}.{method}"

        def call(*args, **named):
            self._calls.append((name, tuple(leaves((args, named)))))
            return self._claims if name in CLAIMED else ANSWERS[name]

        return call


def leaves(value):
    """Yield every plain value in what a port was given."""
    if dataclasses.is_dataclass(value):
        value = [getattr(value, field.name) for field in dataclasses.fields(value)]
    if isinstance(value, dict):
        value = [one for pair in sorted(value.items()) for one in pair]
    if isinstance(value, tuple | list | frozenset):
        yield "("  # two lists of one are another call than one list of two
        for one in value:
            yield from leaves(one)
        yield ")"
    elif isinstance(value, str | bytes | int | float | None):
        yield value


def recording(claims):
    calls = []
    named = {
        name: Port(name, calls, claims)
        for name in (
            *("commands", "databases", "facts", "files", "http", "logs", "processes", "services"),
            *("remotes", "servers", "open_files", "locks", "kernel"),
        )
    }
    host = hosts.Host(
        name="host-1",
        tags={"word": "scalar"},
        clock=pretend_host.Clock(),
        forbidden=lambda: None,
        running=frozenset,
        redact=str,
        **named,
    )
    return host, calls
