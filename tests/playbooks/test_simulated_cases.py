"""Every remedy in playbooks/ is proven on the simulated host that it brings."""

from pathlib import Path

import pytest

from sentienguard.simulation.proving import proofs, reading

ROOT = Path(__file__).parents[2]
DIRECTORIES = sorted(file.parent for file in (ROOT / "playbooks").glob("*/playbook.yaml"))
everyone = pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda one: one.name)


@everyone
def test_everything_about_it_holds(directory):
    found = proofs.prove(
        (directory / "playbook.yaml").read_bytes(),
        (directory / "simulation.yaml").read_bytes(),
        origin=directory.name,
    )
    assert [one for one in found if not one.passed] == []
    names = {one.name for one in found}
    assert names == {"heals", "steps", "twice", "failure", "death", "decoy", "dry run"}


@everyone
def test_it_brings_two_decoys_or_more_and_says_why(directory):
    case = reading.read((directory / "simulation.yaml").read_bytes(), directory.name)
    assert len(case.decoys) >= 2
    assert all(len(decoy.why) > 10 for decoy in case.decoys)


def test_the_example_in_the_reference_is_a_case():
    page = (ROOT / "docs/reference/simulation-cases.md").read_text()
    text = page.partition("```yaml\n")[2].partition("```")[0]
    found = reading.read(text.encode(), "docs")
    assert found.decoys[0].scene.services[0].answers == 200
    for key in (*reading.TOP, *reading.HOST, *reading.THEN):
        assert f"`{key}`" in page
