"""CloudWatch through boto3 over HTTP, against a server of AWS's protocols (moto).

What moto does not do is done here around it: pages, throttling, faults, missing rights.
"""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from sentienguard.adapters.cloudwatch import client as cloudwatch
from sentienguard.controlplane import app_cloudwatch
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.ports.metric_source import Query, SourceAway, SourceRefused, SourceThrottled
from sentienguard.trust.sigv4 import Credentials

boto3 = pytest.importorskip("boto3", reason="no boto3 (pip install 'sentienguard[aws]')")
moto = pytest.importorskip("moto.server", reason="no moto (pip install 'moto[server]')")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("default"),
    pytest.mark.filterwarnings("ignore:.*does not match an error shape"),
]

REGION = "eu-central-1"
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def endpoint():
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def keys():
    return Credentials("test", "test")


def account(endpoint, **changes):
    return cloudwatch.Account(**{"region": REGION, "keys": keys, "endpoint": endpoint, **changes})


def source(endpoint, **changes):
    clock = SimpleNamespace(monotonic=lambda: 0.0, now=lambda: datetime.now(UTC))
    return cloudwatch.CloudWatch(account(endpoint, **changes), clock)


def query(host, metric="CPUUtilization", **changes):
    said = {"name": "cpu", "labels": {}, "namespace": "Shop", "metric": metric,
            "dimensions": {"Host": host}, "statistic": "Average", "period_s": 60}  # fmt: skip
    return Query(**{**said, **changes})


@pytest.fixture(scope="module")
def measured(endpoint):
    """Put ten minutes of two hosts there; return when they began."""
    aws = boto3.client(
        "cloudwatch", region_name=REGION, endpoint_url=endpoint,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    began = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=30)
    for host, base in (("web-1", 10.0), ("web-2", 50.0)):
        aws.put_metric_data(
            Namespace="Shop",
            MetricData=[
                {"MetricName": "CPUUtilization", "Value": base + minute,
                 "Timestamp": began + minute * MINUTE + timedelta(seconds=20),
                 "Dimensions": [{"Name": "Host", "Value": host}]}
                for minute in range(10)
            ],
        )  # fmt: skip
    return began


def read(found, queries, start, end):
    """Return all points by query."""
    points = {}
    for page in found.read(queries, start, end):
        for number, some in page.points:
            points.setdefault(number, []).extend(some)
    return points


def test_readings_come_by_query_with_the_begin_of_their_period(endpoint, measured):
    found = read(source(endpoint), [query("web-1"), query("web-2"), query("nobody")],
                 measured, measured + 10 * MINUTE)  # fmt: skip
    at = [round((measured + minute * MINUTE).timestamp() * 1000) for minute in range(10)]
    assert found[0] == [(one, 10.0 + minute) for minute, one in enumerate(at)]
    assert found[1] == [(one, 50.0 + minute) for minute, one in enumerate(at)]
    assert found.get(2, []) == []


def test_more_series_than_one_request_has_are_asked_in_several(endpoint, measured, monkeypatch):
    monkeypatch.setattr(cloudwatch, "MOST_QUERIES", 2)
    queries = [query("nobody"), query("nobody"), query("nobody"), query("web-2")]
    found = read(source(endpoint), queries, measured, measured + MINUTE)
    assert [value for _, value in found[3]] == [50.0]


def test_a_role_is_assumed_with_the_keys(endpoint, measured):
    for number, many in (("123456789012", 1), ("111122223333", 0)):
        role = f"arn:aws:iam::{number}:role/reader"
        there = source(endpoint, role=role, external_id="shop")
        found = read(there, [query("web-1")], measured, measured + MINUTE)
        assert len(found.get(0, [])) == many, "each account has readings of its own"


def test_a_profile_by_name_is_used_and_nobody_else_is_asked(
    endpoint, measured, tmp_path, monkeypatch
):
    files = tmp_path / "credentials"
    files.write_text("[reader]\naws_access_key_id = test\naws_secret_access_key = test\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(files))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    found = read(source(endpoint, keys=None, profile="reader"), [query("web-1")],
                 measured, measured + MINUTE)  # fmt: skip
    assert len(found[0]) == 1
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-environment")
    files.write_text("[reader]\nregion = eu-central-1\n")
    with pytest.raises(SourceRefused):
        read(source(endpoint, keys=None, profile="reader"), [query("web-1")],
             measured, measured + MINUTE)  # fmt: skip
    with pytest.raises(SourceRefused):
        read(source(endpoint, keys=None, profile="nobody"), [query("web-1")],
             measured, measured + MINUTE)  # fmt: skip


def test_nobody_there_is_away(measured):
    with pytest.raises(SourceAway):
        read(source("http://127.0.0.1:9"), [query("web-1")], measured, measured + MINUTE)


@pytest.fixture
def answers(monkeypatch):
    """Have the server answer with what a test puts here, one after another; then as it is."""
    from moto.cloudwatch.responses import CloudWatchResponse
    from moto.core.responses import ActionResult

    given, asked = [], []
    usual = CloudWatchResponse.get_metric_data

    def answer(self):
        asked.append(self._get_params())
        if not given:
            return usual(self)
        found = given.pop(0)
        if isinstance(found, Exception):
            raise found
        return ActionResult(found)

    monkeypatch.setattr(CloudWatchResponse, "get_metric_data", answer)
    return given, asked


def series(at, *values, number=0, **more):
    return {
        "id": f"q{number}", "label": "x", "values": list(values), "status_code": "Complete",
        "timestamps": [at + minute * MINUTE for minute in range(len(values))], **more,
    }  # fmt: skip


def test_pages_are_followed_until_the_last(endpoint, measured, answers):
    given, asked = answers
    given += [
        {"metric_data_results": [series(measured, 1.0, 2.0)], "next_token": "two"},
        {"metric_data_results": [series(measured + 2 * MINUTE, 3.0)], "next_token": "three"},
        {"metric_data_results": [series(measured, 4.0, number=1)]},
    ]
    found = read(source(endpoint), [query("a"), query("b")], measured, measured + 5 * MINUTE)
    assert [value for _, value in found[0]] == [1.0, 2.0, 3.0]
    assert [value for _, value in found[1]] == [4.0]
    assert [one.get("NextToken") for one in asked] == [None, "two", "three"]
    assert {one["MaxDatapoints"] for one in asked} == {cloudwatch.PAGE_POINTS}


def test_pages_without_end_are_no_answer(endpoint, measured, answers, monkeypatch):
    monkeypatch.setattr(cloudwatch, "MOST_PAGES", 3)
    answers[0].extend([{"metric_data_results": [], "next_token": "more"}] * 9)
    with pytest.raises(SourceAway, match="3 pages"):
        read(source(endpoint), [query("a")], measured, measured + MINUTE)
    assert len(answers[1]) == 3


def fault(kind, status):
    from moto.core.exceptions import ServiceException

    class Fault(ServiceException):
        __module__ = "moto.cloudwatch.exceptions"  # where moto looks for the protocol

    found = Fault("Rate exceeded")
    found.code = kind
    found.status_code = status
    return found


def test_a_refusal_says_what_to_do_next_and_is_asked_once(endpoint, measured, answers):
    there = source(endpoint)
    for kind, status, expected in (
        ("Throttling", 400, SourceThrottled),
        ("ThrottlingException", 400, SourceThrottled),
        ("AccessDenied", 403, SourceRefused),
        ("InvalidClientTokenId", 403, SourceRefused),
    ):
        answers[0].append(fault(kind, status))
        answers[1].clear()
        with pytest.raises((SourceAway, SourceRefused), match=kind) as raised:
            read(there, [query("a")], measured, measured + MINUTE)
        assert type(raised.value) is expected
        assert len(answers[1]) == 1, "one attempt: who asks for all decides how long to wait"


def test_what_another_system_left_out_is_told(endpoint, measured, answers):
    told = [{"code": "MaxMetricsExceeded", "value": "too many"}]
    answers[0].append({
        "metric_data_results": [series(measured, 1.0, status_code="InternalError",
                                       messages=[{"code": "x", "value": "later"}])],
        "messages": told,
    })  # fmt: skip
    (page,) = source(endpoint).read([query("a")], measured, measured + MINUTE)
    assert list(page.problems) == ["InternalError later", "too many"]


@pytest.mark.parametrize(
    "changes",
    [{"id": "q7"}, {"id": "other"}, {"values": [1.0, 2.0]}, {"timestamps": []}],
)
def test_an_answer_of_another_shape_is_none(endpoint, measured, answers, changes):
    answers[0].append({"metric_data_results": [{**series(measured, 1.0), **changes}]})
    with pytest.raises(SourceAway, match="another shape"):
        read(source(endpoint), [query("a")], measured, measured + MINUTE)


GOOD = """
region: eu-central-1
environment: production
access_key: env:KEY
secret_key: env:SECRET
queries:
  - {namespace: AWS/RDS, metric: CPUUtilization, statistic: Average, host: db-1,
     dimensions: {DBInstanceIdentifier: orders}}
"""


def opened(tmp_path, text):
    (tmp_path / "cloudwatch.yaml").write_text(text)
    centre = SimpleNamespace(
        settings=Settings(), environments=("production",),
        clock=SimpleNamespace(now=lambda: datetime.now(UTC), monotonic=lambda: 0.0),
    )  # fmt: skip
    return app_cloudwatch.pull(centre, tmp_path, SimpleNamespace())


def test_a_file_says_what_is_pulled_and_what_it_is_called(tmp_path):
    (one,) = opened(tmp_path, GOOD)._plan.queries
    assert one.name == "aws_rds_cpuutilization_average"
    assert one.labels == {
        "host": "db-1", "region": REGION, "dimension_DBInstanceIdentifier": "orders"}  # fmt: skip
    assert one.period_s == 60


def test_without_a_file_nothing_is_pulled(tmp_path):
    centre = SimpleNamespace(settings=Settings())
    assert app_cloudwatch.pull(centre, tmp_path, SimpleNamespace()) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("environment: production", "environment: nowhere", "nowhere"),
        ("access_key: env:KEY\n", "", "access_key and secret_key, or profile"),
        ("region:", "profile: p\nregion:", "access_key and secret_key, or profile"),
        ("queries:", "querys:", "expected environment, queries, region"),
        ("statistic: Average, ", "", "statistic"),
        ("host: db-1", "period: 61", "multiple of 60"),
        ("host: db-1", "name: a-b", "letters, digits"),
        ("host: db-1", "labels: [a]", "mapping"),
        ("region: eu", "every_seconds: 1\nregion: eu", "every_seconds"),
        ("region: eu-central-1", "region: [", "YAML"),
    ],
)
def test_a_file_that_is_wrong_is_told_so(tmp_path, old, new, said):
    assert old in GOOD
    with pytest.raises(SettingWrong, match=said):
        opened(tmp_path, GOOD.replace(old, new))
