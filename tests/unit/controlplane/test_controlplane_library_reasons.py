"""Why a shipped playbook has its risk: told for exactly its bytes, and not over what is signed."""

from dataclasses import dataclass

import pytest

from sentienguard.controlplane import shipped
from sentienguard.controlplane.library import Library
from sentienguard.model.playbook import Risk
from sentienguard.playbook import parse, readme
from sentienguard.trust.catalogue import Listed

NAME = "service_restart_hung"
STORED = (shipped.directory() / NAME / shipped.PLAYBOOK).read_bytes()
SAID = readme.risk_reason((shipped.directory() / NAME / readme.NAME).read_text(), Risk.WARNING)


@dataclass
class Catalogue:
    playbooks: tuple


@dataclass
class Listing:
    catalogue: Catalogue
    playbooks: dict
    proving: tuple = ()


@dataclass
class Trust:
    listing: Listing


def shelved(stored: bytes):
    playbook = parse.load(stored, origin="it")
    listed = Listed(playbook.name, playbook.version, playbook.digest)
    library = Library(Trust(Listing(Catalogue((listed,)), {playbook.digest: stored})))
    return library.named(NAME)


def test_a_shipped_playbook_is_shown_with_the_reason_of_its_readme():
    assert len(SAID) > 80
    found = shelved(STORED)
    assert found.playbook.risk_reason == SAID
    assert found.stored == STORED  # what is signed and sent is untouched


@pytest.mark.parametrize("more", [b"# changed\n", b"exclusions: {host_pattern: x}\n"])
def test_other_bytes_of_the_same_name_do_not_get_it(more):
    assert shelved(STORED + more).playbook.risk_reason == ""


def test_what_is_signed_goes_first():
    assert shelved(STORED + b"risk_reason: As signed.\n").playbook.risk_reason == "As signed."


def test_every_shipped_playbook_has_one():
    found = shipped.risk_reasons()
    assert len(found) == len(list(shipped.directory().glob(f"*/{shipped.PLAYBOOK}"))) >= 60
    assert all(found.values())
