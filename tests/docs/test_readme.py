"""What the README claims in numbers and for all, and what the pages about first steps name."""

import re
from pathlib import Path

from sentienguard.cli import main
from sentienguard.cli.help import tree

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
CHECKUP = ROOT / "src/sentienguard/cli/checkup"


def test_each_promise_names_a_test_or_a_benchmark_and_its_limit():
    table = README.partition("## Promises")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 10
    for row in rows:
        promise, proof, limit = (cell.strip() for cell in row.strip("|").split(" | "))
        assert re.search(r"`tests/[\w/]+\.py|`python -m benchmarks \w+", proof), promise
        assert len(limit) > 20, promise


def test_there_are_as_many_playbooks_and_proving_records_as_it_says():
    said = int(re.search(r"(\d+) playbooks for hosts", README)[1])
    assert said == len(list((ROOT / "playbooks").glob("*/playbook.yaml")))
    proven = int(re.search(r"(\d+) with proving records", " ".join(README.split()))[1])
    assert proven == len(list((ROOT / "playbooks").glob("*/proving.json")))


def test_every_command_has_json_but_those_it_names():
    without = {
        words for words, command in tree.walk(main.program())
        if not hasattr(command, "commands")
        and "as_json" not in {one.name for one in command.params}
    }  # fmt: skip
    for page in (README, (ROOT / "docs/reference/cli.md").read_text()):
        said = re.search(r"[Ee]very command but (`[^.]*?), which", " ".join(page.split()))
        assert said
        assert set(re.findall(r"`([^`]+)`", said[1])) == without


def test_everything_that_doctor_looks_at_is_in_its_page_and_nothing_else():
    source = "".join(file.read_text() for file in sorted(CHECKUP.glob("*.py")))
    source += (ROOT / "src/sentienguard/cli/doctor.py").read_text()
    looked = set(re.findall(r'finding\.(?:ok|note|wrong)\(\s*"([^"]+)"', source))
    looked |= set(re.findall(r'name = "([a-z\' ]+)"', source))
    looked |= set(re.findall(r'_process\("([a-z ]+)"', source))
    page = (ROOT / "docs/how-to/mend-an-installation.md").read_text()
    rows = re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert named >= looked
    assert {name for name in named if f'"{name}"' not in source} == set()
