"""Checkpoints in a bucket with Object Lock, against a real server of S3's protocol (moto).

What moto does not enforce is asserted on our side, and listed in docs/how-to/anchor-the-log.md.
"""

import functools
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.adapters.audit_anchors import s3
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.ports import anchor, outbound
from sentienguard.trust import sigv4

boto3 = pytest.importorskip("boto3", reason="no boto3 (pip install 'sentienguard[aws]')")
moto = pytest.importorskip("moto.server", reason="no moto (pip install 'moto[server]')")
pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("default")]

REGION = "eu-central-1"
NOTE = "log.example\n7\nAAAA\n\nsignatures\n"
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def endpoint():
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def client(endpoint):
    return boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def bucket(client, request):
    name = f"anchors-{abs(hash(request.node.name)) % 10**9}"
    where = {"LocationConstraint": REGION}
    client.create_bucket(
        Bucket=name, ObjectLockEnabledForBucket=True, CreateBucketConfiguration=where
    )
    return name


class Way:
    """The real way out, with everything that crossed kept; `alter` changes answers."""

    def __init__(self, endpoint):
        self.client = GuardedClient([Allowed.of(endpoint, private=True)])
        self.sent = []
        self.alter = lambda answer: answer

    def send(self, request):
        self.sent.append(request)
        return self.alter(self.client.send(request))


def place(endpoint, bucket, way=None, **changes):
    return s3.S3Anchor(
        s3.Bucket("vault", f"{endpoint}/{bucket}", REGION, "log", **changes),
        way or Way(endpoint),
        lambda: sigv4.Credentials("AKIDEXAMPLE", "secret-of-the-key"),
        functools.partial(datetime.now, UTC),
    )


def test_a_checkpoint_becomes_a_locked_version_for_six_years(endpoint, bucket, client):
    receipt = place(endpoint, bucket).keep(NOTE, 7, NOW)
    kept = client.get_object(
        Bucket=bucket, Key=receipt.facts["key"], VersionId=receipt.facts["version_id"]
    )
    assert kept["Body"].read().decode() == NOTE
    assert kept["ObjectLockMode"] == "COMPLIANCE"
    assert kept["ObjectLockRetainUntilDate"] == NOW.replace(year=2032)
    assert "/00000000000000000007-" in receipt.facts["key"]
    assert "locked until 2032-11-21" in place(endpoint, bucket).check(receipt)


def test_what_is_written_over_it_or_marked_deleted_leaves_the_version(endpoint, bucket, client):
    """A lock does not stop either; so it is read by version id."""
    made = place(endpoint, bucket)
    receipt = made.keep(NOTE, 7, NOW)
    client.put_object(Bucket=bucket, Key=receipt.facts["key"], Body=b"another history")
    made.check(receipt)
    client.delete_object(Bucket=bucket, Key=receipt.facts["key"])
    made.check(receipt)


def test_the_version_cannot_be_deleted(endpoint, bucket, client):
    receipt = place(endpoint, bucket).keep(NOTE, 7, NOW)
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.delete_object(
            Bucket=bucket, Key=receipt.facts["key"], VersionId=receipt.facts["version_id"]
        )


def test_writing_needs_no_right_but_to_write(endpoint, bucket):
    way = Way(endpoint)
    place(endpoint, bucket, way).keep(NOTE, 7, NOW)
    assert [one.method for one in way.sent] == ["PUT"]
    actions = s3.role_policy("b", "p")["Statement"][0]["Action"]
    assert actions == ["s3:PutObject", "s3:PutObjectRetention"]


def test_a_bucket_without_versions_anchors_nothing(endpoint, client):
    client.create_bucket(
        Bucket="plain-bucket", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    with pytest.raises((anchor.AnchorWrong, anchor.AnchorRefused)):
        place(endpoint, "plain-bucket").keep(NOTE, 7, NOW)


def without(name):
    def alter(answer):
        kept = {key: value for key, value in answer.headers.items() if key != name}
        return outbound.Answer(answer.status, kept, answer.body)

    return alter


def with_header(name, value):
    return lambda answer: outbound.Answer(
        answer.status, {**answer.headers, name: value}, answer.body
    )


BENT = {
    "other bytes": (lambda a: outbound.Answer(a.status, a.headers, b"x" + a.body), "other bytes"),
    "another version": (with_header("x-amz-version-id", "other"), "another version"),
    "not locked": (without("x-amz-object-lock-mode"), "mode none"),
    "governance": (with_header("x-amz-object-lock-mode", "GOVERNANCE"), "mode GOVERNANCE"),
    "no date": (without("x-amz-object-lock-retain-until-date"), "kept until None"),
    "sooner": (
        with_header("x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z"),
        "kept until 2030",
    ),
}


@pytest.mark.parametrize(("alter", "why"), BENT.values(), ids=BENT)
def test_a_server_that_does_not_enforce_the_lock_is_found_out(endpoint, bucket, alter, why):
    way = Way(endpoint)
    made = place(endpoint, bucket, way)
    receipt = made.keep(NOTE, 7, NOW)
    way.alter = alter
    with pytest.raises(anchor.AnchorWrong, match=why):
        made.check(receipt)


def test_an_answer_without_a_version_is_no_anchor(endpoint, bucket):
    way = Way(endpoint)
    way.alter = without("x-amz-version-id")
    with pytest.raises(anchor.AnchorWrong, match="keeps no versions"):
        place(endpoint, bucket, way).keep(NOTE, 7, NOW)


def test_a_bucket_that_is_not_there_is_refused_and_a_server_that_is_away_is_tried_again(endpoint):
    with pytest.raises(anchor.AnchorRefused, match="404"):
        place(endpoint, "no-such-bucket").keep(NOTE, 7, NOW)
    with pytest.raises(anchor.AnchorAway):
        place("http://127.0.0.1:9", "b", Way("http://127.0.0.1:9")).keep(NOTE, 7, NOW)
    way = Way(endpoint)
    way.alter = lambda answer: outbound.Answer(503, {}, b"")
    with pytest.raises(anchor.AnchorAway, match="503"):
        place(endpoint, "b", way).keep(NOTE, 7, NOW)


@pytest.mark.parametrize("years", [1, 8])
def test_retention_has_bounds(endpoint, years):
    with pytest.raises(anchor.AnchorRefused, match="2 to 7"):
        place(endpoint, "b", years=years)


def test_a_leap_day_is_kept_until_the_first_of_march():
    assert s3.years_after(datetime(2028, 2, 29, tzinfo=UTC), 6) == datetime(2034, 3, 1, tzinfo=UTC)


def test_the_lifecycle_is_one_that_the_server_takes(client, bucket):
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration=s3.lifecycle("log")
    )
    (rule,) = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rule["Transitions"] == [{"Days": 730, "StorageClass": "DEEP_ARCHIVE"}]
    assert "Expiration" not in rule


@pytest.mark.parametrize(
    ("method", "query"), [("GET", ""), ("GET", "?versionId=a%2Fb&x="), ("PUT", "")]
)
def test_our_signature_is_the_one_that_botocore_makes(method, query):
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    url = f"https://anchors.s3.eu-central-1.amazonaws.com/log/a%20b-1{query}"
    body = b"body" if method == "PUT" else b""
    ours = sigv4.signed(
        method,
        url,
        {"Content-Type": "text/plain"},
        body,
        credentials=sigv4.Credentials("AKID", "secret", "token"),
        scope=sigv4.Scope(REGION, "s3"),
        at=datetime.now(UTC),
    )
    asked = AWSRequest(method=method, url=url, data=body, headers={"Content-Type": "text/plain"})
    auth = S3SigV4Auth(Credentials("AKID", "secret", "token"), "s3", REGION)
    asked.context["payload_signing_enabled"] = True
    asked.context["timestamp"] = ours["x-amz-date"]
    asked.headers["X-Amz-Date"] = ours["x-amz-date"]
    asked.headers["X-Amz-Security-Token"] = "token"
    asked.headers["X-Amz-Content-SHA256"] = ours["x-amz-content-sha256"]
    canonical = auth.canonical_request(asked)
    expected = auth.signature(auth.string_to_sign(asked, canonical), asked)
    assert ours["authorization"].endswith(f"Signature={expected}")


def test_a_key_is_never_sent_nor_shown(endpoint, bucket):
    way = Way(endpoint)
    place(endpoint, bucket, way).keep(NOTE, 7, NOW)
    sent = repr(way.sent[0].headers) + way.sent[0].url
    assert "secret-of-the-key" not in sent
    assert "secret" not in repr(sigv4.Credentials("id", "secret", "token-secret"))


def test_retention_counts_from_now(endpoint, bucket):
    receipt = place(endpoint, bucket, years=2).keep(NOTE, 7, datetime.now(UTC))
    until = datetime.fromisoformat(receipt.facts["retain_until"])
    assert until - datetime.now(UTC) > timedelta(days=2 * 365 - 1)
