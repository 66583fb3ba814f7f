import pytest

from sentienguard.stages.decide.diagnosis import snapshot, triage
from tests.support import diagnosis_cases as cases


def alert(name="A", *, minute=0, **fields):
    return {
        "id": name,
        "object": "web",
        "at_ms": cases.START + minute * cases.MINUTE,
        "severity": "sev3",
        "metric": "error_rate",
        "value": 0.3,
        "threshold": 0.05,
        "topic": "lines",
        "errors_grew": 2.0,
        **fields,
    }


def readings(*points, metric="error_rate", kind="errors", name="web"):
    """Give a series of (minute, value)."""
    return {
        "object": name,
        "kind": kind,
        "name": metric,
        "times_ms": [cases.START + minute * cases.MINUTE for minute, _ in points],
        "values": [float(value) for _, value in points],
    }


def pages(*alerts, series=(), **parts):
    document = cases.document(
        objects=["web", "base"], alerts=list(alerts), series=list(series), **parts
    )
    return [one.alert for one in triage.triage(snapshot.parse(document)) if one.page]


DISK = {"metric": "disk_pct", "value": 82.0, "threshold": 80.0}


def disk(*points):
    return readings(*points, metric="disk_pct", kind="disk")


@pytest.mark.parametrize(
    ("told", "series", "page"),
    [
        pytest.param(alert(), [readings((0, 0.3), (9, 0.4))], True, id="it goes on"),
        pytest.param(alert(), [readings((0, 0.3), (9, 0.01))], False, id="it recovered"),
        pytest.param(
            alert(resolved_after_s=60), [readings((0, 0.3), (9, 0.06))], False, id="nearly so"
        ),
        pytest.param(
            alert(resolved_after_s=60), [readings((0, 0.3), (9, 0.5))], True, id="it came back"
        ),
        pytest.param(
            alert(value=0.0, threshold=10.0), [readings((0, 0), (9, 0))], True, id="too low"
        ),
        pytest.param(
            alert(value=0.0, threshold=10.0), [readings((0, 0), (9, 42))], False, id="low once"
        ),
        pytest.param(
            alert(**DISK, errors_grew=0), [disk((0, 82), (30, 90), (60, 97))], True, id="full"
        ),
        pytest.param(
            alert(**DISK, errors_grew=0), [disk((0, 82), (60, 88))], True, id="full in two hours"
        ),
        pytest.param(alert(**DISK), [disk((0, 82), (30, 82), (60, 82.2))], False, id="a new level"),
        pytest.param(alert(resolved_after_s=20), [], False, id="resolved, and that is all"),
        pytest.param(alert(), [], True, id="its error lines grew"),
        pytest.param(alert(errors_grew=None), [], True, id="nothing is known of it"),
        pytest.param(alert(errors_grew=0), [], False, id="its lines are no errors"),
        pytest.param(
            alert(errors_grew=0, severity="SEV1"), [], True, id="called severe, and only once"
        ),
        pytest.param(
            alert(errors_grew=0, severity="SEV1", fired_last_hour=9), [], False, id="and often"
        ),
    ],
)
def test_an_alert_is_worth_a_page_or_not(told, series, page):
    assert pages(told, series=series) == (["A"] if page else [])


def test_what_people_work_on_already_pages_nobody_again():
    known = [{"id": "INC-1", "object": "web", "metric": "error_rate", "since_ms": cases.START}]
    assert pages(alert(), known=known) == []
    assert pages(alert(metric="other"), known=known) == ["A"]


def test_an_alert_owns_its_readings_until_the_next_of_its_series():
    series = [readings((0, 0.3), (5, 0.01), (60, 0.4), (70, 0.5))]
    assert pages(alert("A"), alert("B", minute=60), series=series) == ["B"]
    assert pages(alert("A"), series=series) == ["A"]


def test_of_pages_about_the_same_lines_the_first_stands_for_all():
    assert pages(alert("B", minute=1), alert("A", minute=2), alert("C", topic="x")) == ["C", "B"]


def test_of_two_at_once_the_cause_s_side_is_paged():
    depends = [cases.edge("web", "base")]
    assert pages(alert("A"), alert("B", object="base"), edges=depends) == ["B"]
