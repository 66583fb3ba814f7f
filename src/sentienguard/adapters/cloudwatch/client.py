"""Ask CloudWatch for readings: pages of GetMetricData, five hundred series at a time.

Rules:

1. One attempt for each request: how long to wait after a refusal is decided by who asks for all.
2. Credentials are two secrets by name, or a profile by name, and nothing else; a role is assumed
   with them where one is named. What was fetched is dropped after `RENEWED_S`, and at a refusal.
3. An answer is believed as far as it is one: a series that was not asked for, or times and values
   that do not pair, are an answer of another shape. Answers are bounded in pages and points.

Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sentienguard.ports.clock import Clock
from sentienguard.ports.metric_source import (
    Page,
    Query,
    SourceAway,
    SourceRefused,
    SourceThrottled,
)
from sentienguard.ports.secrets import SecretMissing, SecretsAway
from sentienguard.trust.sigv4 import Credentials

MOST_QUERIES: Final = 500  # of one request, as AWS has it
PAGE_POINTS: Final = 10_000  # of one page; AWS gives at most 100,800
MOST_PAGES: Final = 200  # of one question
CONNECT_S: Final = 5.0
READ_S: Final = 20.0
RENEWED_S: Final = 2700.0  # rule 2; what a role gives lives an hour
_SESSION: Final = "sentienguard"
_SAID: Final = 200  # characters of AWS's message in ours
_BUSY: Final = frozenset({
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
    "RequestThrottledException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown",
    "LimitExceeded", "LimitExceededException", "BandwidthLimitExceeded",
})  # fmt: skip
_FAULT: Final = 500  # status from which on the other side is at fault


@dataclass(frozen=True, slots=True)
class Account:
    """Where to ask and as whom."""

    region: str
    keys: Callable[[], Credentials] | None = None  # two secrets, fetched when they are needed
    profile: str = ""  # of the files that AWS's own programs read; instead of keys
    role: str = ""  # ARN of a role to assume; empty: none
    external_id: str = ""  # that the role asks for; empty: none
    endpoint: str = ""  # another address than AWS's; empty: AWS's own


class CloudWatch:
    """One account in one region; for one thread at a time."""

    def __init__(self, account: Account, clock: Clock) -> None:
        """Take where it is; nothing is asked yet."""
        self._account = account
        self._clock = clock
        self._client: Any = None
        self._made_at = 0.0  # monotonic

    def read(self, queries: Sequence[Query], start: datetime, end: datetime) -> Iterator[Page]:
        """Yield pages; see ports.metric_source."""
        from botocore import exceptions  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra

        for first in range(0, len(queries), MOST_QUERIES):
            asked = queries[first : first + MOST_QUERIES]
            try:
                for answer in self._answers(asked, start, end):
                    yield _page(answer, first, len(asked))
            except exceptions.ClientError as cause:
                self._client = None
                raise _refusal(cause.response) from cause
            except (exceptions.NoCredentialsError, exceptions.ProfileNotFound) as cause:
                raise SourceRefused(f"CloudWatch: {cause}") from cause
            except exceptions.BotoCoreError as cause:
                self._client = None
                raise SourceAway(f"CloudWatch did not answer: {str(cause)[:_SAID]}") from cause
            except (SecretMissing, SecretsAway) as cause:
                raise SourceAway(f"CloudWatch: {cause}") from cause
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as cause:
                raise SourceAway(f"CloudWatch: an answer of another shape: {cause!r}") from cause

    def _answers(
        self, queries: Sequence[Query], start: datetime, end: datetime
    ) -> Iterator[Mapping[str, Any]]:
        client = self._connected()
        request: dict[str, Any] = {
            "MetricDataQueries": [_asked(number, one) for number, one in enumerate(queries)],
            "StartTime": start,
            "EndTime": end,
            "ScanBy": "TimestampAscending",
            "MaxDatapoints": PAGE_POINTS,
        }
        for _ in range(MOST_PAGES):
            answer = client.get_metric_data(**request)
            yield answer
            more = answer.get("NextToken")
            if not more:
                return
            request["NextToken"] = more
        raise SourceAway(f"CloudWatch: an answer of more than {MOST_PAGES} pages")

    def _connected(self) -> Any:
        now = self._clock.monotonic()
        if self._client is None or now - self._made_at > RENEWED_S:
            self._client = _client(self._account)
            self._made_at = now
        return self._client


def is_installed() -> bool:
    """Tell whether boto3 is there."""
    try:
        import boto3  # type: ignore[import-untyped]  # noqa: F401, PLC0415 - an extra
    except ImportError:
        return False
    return True


def _client(account: Account) -> Any:
    import boto3  # noqa: PLC0415 - an extra
    from botocore import config  # noqa: PLC0415 - as above

    settings = config.Config(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        retries={"total_max_attempts": 1},  # rule 1
        proxies={},  # those of the environment are nobody's decision here
    )
    where = {"endpoint_url": account.endpoint or None, "config": settings}
    session = _session(account)
    if account.role:
        external = {"ExternalId": account.external_id} if account.external_id else {}
        given = session.client("sts", **where).assume_role(
            RoleArn=account.role, RoleSessionName=_SESSION, **external
        )["Credentials"]
        session = boto3.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
            region_name=account.region,
        )
    return session.client("cloudwatch", **where)


def _session(account: Account) -> Any:
    import boto3  # noqa: PLC0415 - an extra
    import botocore.session  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    if account.keys is not None:
        keys = account.keys()
        return boto3.Session(
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.session_token or None,
            region_name=account.region,
        )
    own = botocore.session.Session(profile=account.profile)
    providers = own.get_component("credential_provider")
    for name in ("env", "container-role", "iam-role"):  # rule 2: the profile, or nobody
        providers.remove(name)
    return boto3.Session(botocore_session=own, region_name=account.region)


def _asked(number: int, query: Query) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in query.dimensions.items()]
    metric = {"Namespace": query.namespace, "MetricName": query.metric, "Dimensions": dimensions}
    return {
        "Id": f"q{number}",
        "MetricStat": {"Metric": metric, "Period": query.period_s, "Stat": query.statistic},
        "ReturnData": True,
    }


def _page(answer: Mapping[str, Any], first: int, many: int) -> Page:
    """Read one page (rule 3)."""
    points = []
    problems = []
    for one in answer["MetricDataResults"]:
        number = int(str(one["Id"]).removeprefix("q"))
        times, values = one["Timestamps"], one["Values"]
        if not 0 <= number < many or len(times) != len(values):
            raise ValueError(f"series {one['Id']!a}")
        found = [
            (round(at.timestamp() * 1000), float(value))
            for at, value in zip(times, values, strict=True)
            if math.isfinite(value)
        ]
        points.append((first + number, found))
        if one.get("StatusCode", "Complete") in {"InternalError", "Forbidden"}:
            said = [str(each.get("Value", "")) for each in one.get("Messages") or ()]
            problems.append(f"{one['StatusCode']} {'; '.join(said)}"[:_SAID])
    problems += [str(one.get("Value", ""))[:_SAID] for one in answer.get("Messages") or ()]
    return Page(points, problems)


def _refusal(response: Mapping[str, Any]) -> SourceAway | SourceRefused:
    error = response.get("Error", {})
    code = str(error.get("Code", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    told = f"CloudWatch: {code}: {str(error.get('Message', ''))[:_SAID]}"
    if code in _BUSY or status == 429:  # noqa: PLR2004 - Too Many Requests
        return SourceThrottled(told)
    if status >= _FAULT or not status:
        return SourceAway(told)
    return SourceRefused(told)
