"""Pages of the documents that are typed as they stand, in one shell, by tests.

A block of a page is `console`: lines that begin with `$ ` are commands, lines that begin with `> `
go on with one, the rest is what it prints. What may differ is `RULES`; `...` is anything.
"""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPEATED = "<!-- repeated until it is so -->\n"
WITHIN_S = 240.0
DONE = "=== done "
# what may differ: as the page has it, and what counts as the same
RULES = {
    "clock": (r"\b\d\d:\d\d:\d\d(?:\.\d)?", r"\d\d:\d\d:\d\d(?:\.\d)?"),
    "duration": (
        r"\b\d+(?:\.\d+)? (?:ms|s)\b",
        r"\d+(?:\.\d+)?\s+(?:ms|s|min)(?:\s+\d+\s+s)?",
    ),
    "count": (r"\b\d+ (entries|records)\b", r"\d+\s+(?:entries|records)"),
    "confidence": (r"confidence 0\.\d+", r"confidence\s+0\.\d+"),
    "password": (r"password \(yours\)", r"password\s+\S+"),
}
IDS = re.compile(r"\b(?:inc_\d{8}_\d{6}_[0-9a-f]{8}|apr_[0-9a-f]{16}|ord_[0-9a-f]{16})\b")


@dataclass
class Typed:
    """One command of the page."""

    command: str
    shown: str  # by the page
    repeated: bool


class Shell:
    """One bash, as a reader has it; `make` stands for the commands that it runs."""

    def __init__(self, place):
        self.place = place
        (place / ".venv").symlink_to(sys.prefix)
        (place / "tools").symlink_to(ROOT / "tools")
        kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "USER")
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=place, env={name: os.environ[name] for name in kept if name in os.environ}
            | {"HOME": str(place), "COLUMNS": "80"},
        )  # fmt: skip
        self.type(
            "make() { case $1 in demo) .venv/bin/sentienguard demo;; "
            "down) .venv/bin/sentienguard down --data .demo;; esac; }"
        )

    def type(self, command):
        """Run a command and return what it printed, warnings about nothing included."""
        self._bash.stdin.write(f"{command}\necho; echo '{DONE}'$?\n")
        self._bash.stdin.flush()
        said = []
        for line in self._bash.stdout:
            if line.startswith(DONE):
                break
            said.append(line)
        return "".join(said)

    def close(self):
        """Stop what still runs, whatever happened."""
        for data in (".demo", ".dev"):
            if (self.place / data).is_dir():
                self.type(f".venv/bin/sentienguard down --data {data}")
        self._bash.stdin.close()
        self._bash.wait(timeout=60)
        self._bash.stdout.close()


def typed(file):
    """Read a page's commands in their order; a command goes on in lines that begin with `> `."""
    found = []
    page = file.read_text()
    for block in re.finditer(
        r"^((?:<!--.*-->\n)?)```(\w*)\n(.*?)^```", page, re.MULTILINE | re.DOTALL
    ):
        assert block[2] == "console", f"{file.name}: only tested blocks: {block[3][:60]}"
        for part in re.split(r"^\$ ", block[3], flags=re.MULTILINE)[1:]:
            lines = part.splitlines(keepends=True)
            more = 1
            while more < len(lines) and lines[more].startswith("> "):
                more += 1
            command = lines[0] + "".join(line.removeprefix("> ") for line in lines[1:more])
            shown = "".join(lines[more:])
            found.append(Typed(command.rstrip("\n"), shown, block[1] == REPEATED))
    return found


def pattern(shown, known):
    """Make of what the page shows what has to be printed; ids are bound to the real ones."""
    expected, bound, words = shown, [], []
    for name, (given, _) in RULES.items():
        expected = re.sub(given, f"\0{name}\0", expected)
    for word in expected.split():
        if word == "...":
            words.append("ANYTHING")
            continue
        made = re.escape(word)
        for name, (_, same) in RULES.items():
            made = made.replace(f"\0{name}\0", f"(?:{same})").replace(
                f"\\\0{name}\\\0", f"(?:{same})"
            )
        for one in IDS.findall(word):
            if one in known or one in bound:
                real = re.escape(known[one]) if one in known else rf"(?P=id{bound.index(one)})"
            else:
                real = f"(?P<id{len(bound)}>{IDS.pattern})"
                bound.append(one)
            made = made.replace(re.escape(one), real)
        words.append(made)
    joined = r"\s+".join(words)
    joined = re.sub(r"(?:\\s\+)?ANYTHING(?:\\s\+)?", lambda _: r"(?:.*?\s)??", joined)
    return re.compile(rf"\s*{joined}\s*\Z", re.DOTALL), bound


def play(file, shell):
    """Type a page into a shell, and compare everything that is printed with the page."""
    known = {}
    for one in typed(file):
        command = one.command
        for page, real in known.items():
            command = command.replace(page, real)
        wanted, bound = pattern(one.shown, known)
        until = time.monotonic() + WITHIN_S
        while True:
            said = shell.type(command)
            found = wanted.match(said)
            if found or not one.repeated or time.monotonic() > until:
                break
        assert found, f"$ {command}\nthe page shows:\n{one.shown}\nit printed:\n{said}"
        known |= {page: found[f"id{at}"] for at, page in enumerate(bound)}
