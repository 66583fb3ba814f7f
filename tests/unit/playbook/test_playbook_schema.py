import copy
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from sentienguard import playbook
from sentienguard.playbook import kinds, schema

ROOT = Path(__file__).parents[3]
WRITTEN = ROOT / "docs" / "reference" / "playbook.schema.json"
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*/playbook.yaml"))


@pytest.fixture(scope="module")
def validator():
    generated = json.loads(json.dumps(schema.schema()))
    jsonschema.Draft202012Validator.check_schema(generated)
    return jsonschema.Draft202012Validator(generated)


def test_the_published_schema_is_the_generated_one():
    expected = json.dumps(schema.schema(), indent=1, sort_keys=True) + "\n"
    assert WRITTEN.read_text() == expected, "write it again from sentienguard.playbook.schema"


@pytest.mark.parametrize("file", PLAYBOOKS, ids=lambda file: file.parent.name)
def test_every_bundled_playbook_fits_the_schema(file, validator):
    assert [
        error.message for error in validator.iter_errors(yaml.safe_load(file.read_text()))
    ] == []


def test_unknown_keys_and_kinds_do_not_fit_the_schema(validator):
    good = yaml.safe_load(PLAYBOOKS[0].read_text())
    for spoil in (
        lambda book: book.update(extra=1),
        lambda book: book["steps"][0].update(action="teleport"),
        lambda book: book["steps"][0].update(colour="red"),
        lambda book: book["verification"][0].update(type="hope"),
        lambda book: book.pop("description"),
    ):
        spoiled = copy.deepcopy(good)
        spoil(spoiled)
        assert not validator.is_valid(spoiled)


def test_every_kind_and_key_has_its_place_in_the_reference():
    reference = (ROOT / "docs" / "reference" / "playbooks.md").read_text()
    words = {
        word
        for kind in (*kinds.STEPS.values(), *kinds.CHECKS.values())
        for operation in kind.operations
        for word in (kind.name, operation.name, *(spec.key for spec in operation.fields))
        if word
    }
    assert {word for word in words if f"`{word}`" not in reference and word != "scope"} == set()


def test_every_field_that_the_executor_reads_is_in_the_charter_of_the_package():
    fields = {
        word
        for kind in (*kinds.STEPS.values(), *kinds.CHECKS.values())
        for operation in kind.operations
        for word in (kind.name, operation.name, *(spec.name for spec in operation.fields))
        if word
    }
    charter = playbook.__doc__
    assert {word for word in fields if not re.search(rf"\b{word}\b", charter)} == set()
