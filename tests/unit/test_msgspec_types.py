"""Every class that msgspec reads is learned before there are threads: else two of them crash it.

Measured with msgspec 0.22.0: of processes in which eight threads first read `flow.Decided` in one
moment, 3 of 25 ended with a segmentation fault.
"""

import ast
import dataclasses
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentienguard.controlplane import event_codec
from sentienguard.stages.observe import changes, cloudevents

SOURCE = Path(__file__).parents[2] / "src/sentienguard"
# Where values are converted, to classes that a Decoder of the same module has learned.
CONVERTS = {
    "controlplane/event_codec.py": tuple(event_codec._KINDS.values()),
    "stages/observe/changes.py": (changes._Event,),
    "stages/observe/cloudevents.py": (cloudevents._Event,),
}
# A function that makes Decoders, and is called for constants of its module only.
MAKERS = {("adapters/sql_store/codec.py", "__init__")}

CROWD = """
import sys, threading
from sentienguard.controlplane import event_codec
sys.setswitchinterval(1e-6)
together = threading.Barrier(8)
def read():
    together.wait()
    try:
        event_codec.decode({"event": "Decided"})
    except ValueError:
        pass
threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def calls(tree: ast.AST, function: str = "") -> Iterator[tuple[str, ast.Call, str]]:
    """Yield the calls of msgspec: its name for what is called, the call, the function it is in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("msgspec."):
            yield ast.unparse(node.func), node, function
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from calls(node, node.name if is_function else function)


def late(path: Path) -> list[str]:
    """Return what makes msgspec learn a class while the program runs."""
    place = path.relative_to(SOURCE).as_posix()
    found = []
    for name, call, function in calls(ast.parse(path.read_text())):
        typed = any(one.arg == "type" for one in call.keywords) or len(call.args) > 1
        if (
            (name.endswith(".decode") and typed)
            or (name == "msgspec.convert" and place not in CONVERTS)
            or (name.endswith(".Decoder") and function and (place, function) not in MAKERS)
        ):
            found.append(f"{place}:{call.lineno}: {ast.unparse(call)[:80]}")
    return found


def test_no_class_is_learned_while_the_program_runs() -> None:
    found = [one for path in sorted(SOURCE.rglob("*.py")) for one in late(path)]
    assert not found, "make a Decoder of the module: `_X: Final = msgspec.json.Decoder(X)`"


@pytest.mark.parametrize(
    "said",
    [
        "import msgspec\ndef f(b): return msgspec.json.decode(b, type=int)",
        "import msgspec\ndef f(b): return msgspec.convert(b, int)",
        "import msgspec\ndef f(b): return msgspec.json.Decoder(int).decode(b)",
    ],
)
def test_what_is_learned_late_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", tmp_path)
    (tmp_path / "late.py").write_text(said)
    assert len(late(tmp_path / "late.py")) == 1


def test_what_is_converted_was_learned_with_all_that_it_holds() -> None:
    for kind in (one for kinds in CONVERTS.values() for one in kinds):
        if not dataclasses.is_dataclass(kind):
            continue  # a Struct of msgspec keeps what it learned out of sight
        held = [kind, *(one for field in typing.get_type_hints(kind).values() for one in of(field))]
        assert all("__msgspec_cache__" in vars(one) for one in held), kind


def of(hint: object) -> Iterator[type]:
    """Yield the data classes that a type names."""
    for one in (hint, *typing.get_args(hint)):
        if isinstance(one, type) and dataclasses.is_dataclass(one):
            yield one


def test_a_crowd_of_threads_reads_its_first_event() -> None:
    for _ in range(5):
        subprocess.run([sys.executable, "-c", CROWD], check=True, timeout=50)
