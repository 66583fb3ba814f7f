"""A process that starts writers of `durable_writers`, each in a process of its own.

Started by `traced_writer` as `python -m tests.faults.faulty_writer`; obeys lines on standard input:

    work NAME DIRECTORY     answers `pid N`, waits for SIGUSR1, then works; a line `told ...` for
                            each promise, `stopped ...` where an error ended it
    check NAME DIRECTORY    reads promises up to `end`; recovers; answers `broken ...` lines

and `done STATUS` at the end of each. Everything is imported once, and each writer is forked from
here: a start takes 2 ms in place of 80, and what strace counts begins with the writer's first call.
A promise leaves by `writev`, which no writer uses, so that it is no point of failure.
"""

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.faults import durable_writers


def say(text: str) -> None:
    """Put a line on standard output at once."""
    os.writev(1, [f"{text}\n".encode()])


def work(name: str, place: Path) -> None:
    """Work until the end or until the writer gives up."""
    signal.sigwait({signal.SIGUSR1})
    try:
        durable_writers.WRITERS[name].work(place, lambda text: say(f"told {text}"))
    except Exception as error:  # noqa: BLE001 - the one who asked judges
        say(f"stopped {type(error).__name__}: {error}".replace("\n", " "))


def check(name: str, place: Path, promised: list[str]) -> None:
    """Recover and compare."""
    try:
        for problem in durable_writers.WRITERS[name].broken(place, promised):
            say(f"broken {problem}")
    except Exception as error:  # noqa: BLE001 - the one who asked judges
        say(f"broken: recovery fails: {error!r}".replace("\n", " "))


def forked(deed: Callable[[], None], *, announced: bool) -> None:
    """Do it in a process of its own; return when that has ended."""
    child = os.fork()
    if child == 0:
        deed()
        os._exit(0)
    if announced:
        say(f"pid {child}")
    _, status = os.waitpid(child, 0)
    say(f"done {os.waitstatus_to_exitcode(status)}")


def main() -> None:
    """Obey until standard input ends."""
    with tempfile.TemporaryDirectory() as warm:  # loads what is loaded late
        for name, writer in durable_writers.WRITERS.items():
            for _ in range(2):
                (Path(warm) / name).mkdir(exist_ok=True)
                writer.work(Path(warm) / name, lambda _: None)
            list(writer.broken(Path(warm) / name, []))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    say("ready")
    for line in sys.stdin:
        order, name, directory = line.rstrip("\n").split("\t")
        place = Path(directory)
        if order == "work":
            forked(lambda: work(name, place), announced=True)  # noqa: B023 - done before the next
        else:
            promised = [one.rstrip("\n") for one in iter(sys.stdin.readline, "end\n")]
            forked(lambda: check(name, place, promised), announced=False)  # noqa: B023 - as above


if __name__ == "__main__":
    main()
