from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sentienguard.playbook import document, parse

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"


@pytest.mark.parametrize(
    ("stored", "line", "expected"),
    [
        (b"", 1, "a playbook"),
        (b"# nothing\n", 1, "a playbook"),
        (b"name: x\nsteps:\n\t- a\n", 3, "spaces"),
        (b"name: \xff\n", 1, "UTF-8 text"),
        (b"a: 1\nb: 2\nname: x\x07\n", 3, "visible text"),
        ("name: x\n# \u202eevil\n".encode(), 2, "visible text"),
        (b"name: a\nversion: b\nname: c\n", 3, "each name once"),
        (b"name: x\nrisk: &a SAFE\n", 2, "a value"),
        (b"name: &a x\nrisk: *a\n", 1, "a value"),
        (b"name: x\nrisk: *a\n", 2, "the value itself"),
        (b"name: !!python/object:os.system x\n", 1, "a value without a tag"),
        (b"name: !local x\n", 1, "a value without a tag"),
        (b"name: x\n---\nname: y\n", 2, "YAML"),
        (b"name: [x\n", 2, "YAML"),
        (b"name: x\n1: y\n", 2, "a name"),
        (b"name: x\nidempotent: yes\n", 2, "true, false or quoted text"),
        (b"max_per_hour: 0o7\nx: 010\n", 2, "a decimal number or quoted text"),
        (b"max_per_hour: 1_000\n", 1, "a decimal number or quoted text"),
        (b"max_per_hour: 1:30\n", 1, "a decimal number or quoted text"),
        (b"max_per_hour: .inf\n", 1, "a decimal number or quoted text"),
        (b"x: " + b"[" * 40 + b"]" * 40, 1, "at most 16 levels"),
        (b"#" * (64 * 1024 + 1), 1, "at most 65536 bytes"),
        (b"x: [" + b"a, " * 2_000 + b"]", 1, "at most 2000 values"),
    ],
)
@pytest.mark.parametrize("reader", ["libyaml", "its own"])
def test_what_two_readers_could_read_differently_is_refused_with_its_line(
    stored, line, expected, reader, monkeypatch
):
    if reader == "its own":
        monkeypatch.setattr(document, "_loader", lambda: document._OwnScanner)
    with pytest.raises(parse.BrokenPlaybook) as error:
        document.read(stored, "it.yaml")
    (problem,) = error.value.problems[:1]
    assert (problem.line, problem.expected) == (line, expected)
    assert str(error.value).startswith(f"it.yaml: line {line}: ")


def test_an_alias_bomb_is_refused_at_its_first_anchor():
    bomb = b"a: &a [x, x]\n" + b"".join(b"b%d: &b%d [*a, *a]\n" % (n, n) for n in range(20))
    with pytest.raises(parse.BrokenPlaybook, match="anchor &a"):
        document.read(bomb, "bomb.yaml")


@pytest.mark.parametrize("playbook", ["disk_cleanup_rotated_logs", "kubernetes_crash_loop"])
def test_a_playbook_says_the_same_without_libyaml_and_to_yamls_other_reader(playbook, monkeypatch):
    stored = (PLAYBOOKS / playbook / "playbook.yaml").read_bytes()
    here = document.read(stored, "it.yaml")
    monkeypatch.setattr(document, "_loader", lambda: document._OwnScanner)  # the agent of one file
    assert document.read(stored, "it.yaml") == here

    def plain(node: document.Node) -> object:
        match node:
            case document.Table(entries=entries):
                return {name: plain(inner) for name, inner in entries.items()}
            case document.Sequence(items=items):
                return [plain(inner) for inner in items]
            case document.Scalar(value=value):
                return value

    assert plain(here) == yaml.load(stored, yaml.SafeLoader)


def test_without_libyaml_a_playbook_is_read_all_the_same(monkeypatch):
    document._loader.cache_clear()
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    try:
        assert document._loader() is document._OwnScanner
    finally:
        document._loader.cache_clear()


def test_all_duplicates_are_told_at_once():
    with pytest.raises(parse.BrokenPlaybook) as error:
        document.read(b"a: 1\na: 2\nb: 1\nb: 2\n", "x")
    assert [problem.line for problem in error.value.problems] == [2, 4]


def test_windows_line_ends_are_read():
    assert isinstance(document.read(b"name: x\r\nrisk: SAFE\r\n", "x"), document.Table)


@pytest.mark.property
@settings(max_examples=300)
@given(stored=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_load_as_a_draft_or_are_refused(stored):
    try:
        parse.load_draft(stored, origin="fuzz")
    except parse.BrokenPlaybook as error:
        problems = error.problems
    else:
        return
    assert problems


_KEYS = st.sampled_from(
    [*parse.KEYS, "action", "operation", "path", "param", "type", "command", "rollback", "x"]
)
_LEAF = st.sampled_from(["fs", "clean", "1s", "{param: x}", "3", "true", "null", "a b", "*", "''"])
_TREE = st.recursive(
    _LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
        st.dictionaries(_KEYS, inner, max_size=4).map(
            lambda table: "{" + ", ".join(f"{k}: {v}" for k, v in table.items()) + "}"
        ),
    ),
    max_leaves=20,
)


@pytest.mark.property
@settings(max_examples=300)
@given(table=st.dictionaries(_KEYS, _TREE, max_size=6))
def test_any_shape_under_our_keys_loads_as_a_draft_or_is_refused(table):
    text = "".join(f"{key}: {value}\n" for key, value in table.items())
    try:
        parse.load_draft(text.encode(), origin="fuzz")
    except parse.BrokenPlaybook as error:
        problems = error.problems
    else:
        return
    assert problems
