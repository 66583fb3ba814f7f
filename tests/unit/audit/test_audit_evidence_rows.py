"""A row survives a spreadsheet, a reader of JSON, and whoever wrote its text."""

import csv
import io
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sentienguard.stages.audit import merkle
from sentienguard.stages.audit.evidence import rows
from sentienguard.stages.audit.evidence.population import Row
from sentienguard.trust import canonical

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


def row_of(text):
    fields = {
        "v": 1, "kind": "step.done", "ts_ms": 1_770_000_000_123, "env": "production", "src": "cp",
        "src_seq": 7, "src_prev": "", "actor": text, "incident": "", "key": text, "controls": [],
        "data": {"text": text}, "blobs": [],
    }  # fmt: skip
    stored = canonical.encode(fields)
    return Row(3, stored, True, fields, merkle.leaf_hash(stored))


@given(TEXT)
@example("=1+1")
@example('a"b,c\r\nd')
@example("\u2028\u2029\x85\x0b\x0c")
@settings(max_examples=300)
def test_a_second_parser_reads_one_row_with_the_text_and_no_formula(text):
    lines = "".join(rows.csv_lines([row_of(text)], {"step.done": ["CC8.1"]}))
    heading, *found = csv.reader(io.StringIO(lines, newline=""), strict=True)
    assert tuple(heading) == rows.COLUMNS
    [cells] = found
    shown = dict(zip(heading, cells, strict=True))
    assert shown["actor"].removeprefix("'" if text.startswith(rows.FORMULA) else "") == text
    assert json.loads(shown["data"]) == {"text": text}
    assert shown["time"] == "2026-02-02T02:40:00.123Z"
    assert not any(cell.startswith(rows.FORMULA) for cell in cells)


@given(TEXT)
@settings(max_examples=300)
def test_json_has_the_entry_whole_so_that_its_hash_can_be_made_again(text):
    row = row_of(text)
    content = rows.json_list([rows.json_row(row, ["CC8.1"])] * 2)
    found = json.loads(content)[1]
    written = json.dumps(
        found["entry"], ensure_ascii=False, sort_keys=True, separators=(",", ":")
    ).encode()
    assert merkle.leaf_hash(written).hex() == found["leaf_hash"]
    assert found["controls"] == ["CC8.1"]


@pytest.mark.parametrize("first", rows.FORMULA)
def test_a_cell_that_would_be_a_formula_is_text(first):
    assert rows.cell(f"{first}1").strip('"').startswith("'")
