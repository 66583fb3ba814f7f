import pytest

from sentienguard.model.diagnosis import NO_CHANGE
from sentienguard.stages.decide.diagnosis import engine, snapshot
from tests.support import diagnosis_cases as cases

ONSET = cases.ALERT - 5 * cases.MINUTE
FIX = "-    if slow.expired(token):\n+    if expired(token):\n+        raise TokenExpired"
SAID = "rejecting request: token expired"


def commit(name, summary, files=("auth/token.py",), diff=FIX):
    return {
        "id": name,
        "kind": "commit",
        "at_ms": cases.START,
        "summary": summary,
        "files": list(files),
        "diff": diff,
    }


def rollout(name, thing="auth", minutes=3):
    at_ms = ONSET - minutes * cases.MINUTE
    return {"id": name, "object": thing, "kind": "deploy", "at_ms": at_ms}


def shortlist(*changes, **parts):
    document = cases.document(
        objects=parts.pop("objects", ["auth", "web", "idle"]),
        symptom=cases.symptom("web", "errors"),
        edges=[cases.edge("web", "auth")],
        series=[
            cases.series("auth", "errors", 0.001, 0.5, onset=ONSET),
            cases.series("web", "errors", 0.001, 0.5, onset=ONSET + cases.MINUTE),
            cases.series("idle", "errors", 0.001, 0.001),
            *parts.pop("series", []),
        ],
        logs=[cases.line("web", parts.pop("said", SAID), count=90, usual=0, severity="error")],
        changes=list(changes),
    )
    return [one.object for one in engine.diagnose(snapshot.parse(document)).changes]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([rollout("a", minutes=-3)], id="after the onset"),
        pytest.param([rollout("a", minutes=70)], id="long before"),
        pytest.param([], id="never rolled out"),
        pytest.param([rollout("a", thing="idle")], id="of what did not move"),
    ],
)
def test_what_was_not_out_in_time_and_place_comes_later(other):
    """Of two that are alike the first by name would come first."""
    found = shortlist(commit("a", "token check"), commit("b", "token check"), rollout("b"), *other)
    assert found.index("b") < found.index("a")


@pytest.mark.parametrize(
    ("files", "diff"),
    [
        (("docs/token.md",), FIX),
        (("tests/test_token.py",), FIX),
        (("web/token.css",), FIX),
        (("auth/token.py",), "-    check(token, expired)\n+    check(token, expired)  # moved"),
    ],
)
def test_what_breaks_nothing_comes_later(files, diff):
    harmless = commit("a", "token expired", files, diff)
    found = shortlist(harmless, commit("b", "token expired"), rollout("a"), rollout("b"))
    assert found.index("b") < found.index("a")


def test_words_that_errors_and_changes_share_decide_between_two():
    avatar = commit("a", "avatar upload", ["auth/avatar.py"], "+    store(avatar)")
    found = shortlist(avatar, commit("b", "token check"), rollout("a"), rollout("b"))
    assert found.index("b") < found.index("a")


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(
            {
                "objects": ["auth", "web", "idle", {"name": "n1", "kind": "node"}],
                "series": [cases.series("n1", "cpu", 30, 99, onset=ONSET)],
            },
            id="a machine moved first",
        ),
        pytest.param(
            {"series": [cases.series("web", "traffic", 100, 900, onset=ONSET)]}, id="a surge"
        ),
        pytest.param({"said": "x509: certificate has expired"}, id="a certificate"),
    ],
)
def test_that_nobody_s_change_did_it_comes_first_where_that_is_seen(parts):
    old = [commit("a", "token check"), rollout("a", minutes=25)]
    assert shortlist(*old, **parts)[0] == NO_CHANGE


def test_that_nobody_s_change_did_it_is_always_on_the_shortlist():
    names = [f"c{number}" for number in range(9)]
    changes = [commit(name, "token check") for name in names] + [rollout(name) for name in names]
    assert NO_CHANGE in shortlist(*changes)[:3]


def test_without_changes_there_is_no_shortlist():
    assert shortlist() == []
