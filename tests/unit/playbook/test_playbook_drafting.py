"""What stands between a text and a version that signers can be asked to sign."""

from pathlib import Path

import pytest

from sentienguard.model import ids
from sentienguard.playbook import document, drafting
from sentienguard.playbook.findings import Level

NAME = "disk_cleanup_rotated_logs"
STORED = (Path(__file__).parents[3] / "playbooks" / NAME / "playbook.yaml").read_bytes()
DIGEST = ids.digest(STORED)


def said(stored: bytes, listed: list[tuple[str, ids.Digest]]) -> dict[str, drafting.Remark]:
    judged = drafting.judge_version(stored, NAME, listed, origin="draft")
    return {one.rule: one for one in judged.remarks if one.level is Level.ERROR}


def with_version(version: str) -> bytes:
    return STORED.replace(b'"1.0.0"', f'"{version}"'.encode(), 1)


def test_a_version_above_all_listed_ones_is_signable() -> None:
    listed = [("1.9.0", DIGEST), ("1.2.0", DIGEST)]
    judged = drafting.judge_version(with_version("1.10.0"), NAME, listed, origin="draft")
    assert judged.signable
    assert (judged.name, judged.version) == (NAME, "1.10.0")
    assert judged.digest == ids.digest(with_version("1.10.0"))
    assert drafting.judge_version(STORED, NAME, [], origin="draft").signable


def test_what_is_signed_already_needs_no_signature() -> None:
    found = said(STORED, [("1.0.0", DIGEST)])
    assert list(found) == ["version-taken"]
    assert found["version-taken"].found == "the bytes that are signed already"


def test_a_listed_version_with_other_bytes_is_named_by_its_line() -> None:
    found = said(STORED + b"# more\n", [("1.0.0", DIGEST)])
    assert list(found) == ["version-taken"]
    assert (found["version-taken"].line, found["version-taken"].found) == (2, "1.0.0")


@pytest.mark.parametrize("version", ["1.9.9", "0.0.1", "1.2.3"])
def test_a_version_below_the_newest_would_never_be_in_force(version: str) -> None:
    found = said(with_version(version), [("1.10.0", DIGEST), ("0.9.0", DIGEST)])
    assert found["version-not-newer"].expected == "a version above 1.10.0"


def test_a_draft_keeps_its_name() -> None:
    found = said(STORED.replace(NAME.encode(), b"another_name", 1), [])
    assert (found["draft-name"].line, found["draft-name"].expected) == (1, NAME)


def test_what_does_not_read_says_what_was_expected_and_found() -> None:
    found = said(STORED.replace(b"risk: SAFE", b"risk: HARMLESS"), [])
    wrong = found["language"]
    assert wrong.line == 1 + STORED[: STORED.index(b"risk: SAFE")].count(b"\n")
    assert "SAFE" in wrong.expected
    assert "HARMLESS" in wrong.found


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (b"a: &x 1\n", "a value"),
        (b"a: *x\n", "the value itself"),
        (b"[" * 400, "levels"),
        (b"a: !!python/name:os.system x\n", "without a tag"),
        (b"\xff\xfe", "UTF-8"),
        (b"", "a playbook"),
        (b"x" * (document.MAX_BYTES + 1), "at most"),
    ],
    ids=["anchor", "alias", "deep", "tag", "no text", "nothing", "too long"],
)
def test_what_is_no_yaml_of_ours_is_one_remark_and_no_crash(stored: bytes, expected: str) -> None:
    judged = drafting.judge_version(stored, NAME, [], origin="draft")
    assert not judged.signable
    assert (judged.name, judged.version) == ("", "")
    (only,) = judged.remarks
    assert expected in only.expected


def test_remarks_stand_in_the_order_of_the_text() -> None:
    text = STORED.replace(b"risk: SAFE", b"risk: HARMLESS")
    judged = drafting.judge_version(text, NAME, [("1.0.0", DIGEST)], origin="draft")
    lines = [one.line or 0 for one in judged.remarks]
    assert lines == sorted(lines)
    assert {"version-taken", "language"} <= {one.rule for one in judged.remarks}
