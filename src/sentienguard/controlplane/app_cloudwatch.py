"""Put together what pulls readings of CloudWatch: the owner's file, the secrets, the client.

Called by `app.py` alone, whose part this is: it names adapters. Without the file nothing is pulled.

    region: eu-central-1
    environment: production
    access_key: env:NAME          or  profile: NAME
    secret_key: vault:PATH#FIELD
    role: arn:aws:iam::123456789012:role/reader
    queries:
      - {namespace: AWS/RDS, metric: CPUUtilization, statistic: Average, period: 60,
         dimensions: {DBInstanceIdentifier: orders}, host: db-1}
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from sentienguard.adapters.cloudwatch.client import Account, CloudWatch, is_installed
from sentienguard.adapters.secret_stores import aws
from sentienguard.controlplane import app_secrets
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.cloud_metrics import CloudMetrics, Plan
from sentienguard.controlplane.settings import SettingWrong
from sentienguard.controlplane.telemetry_desk import TelemetryDesk
from sentienguard.ports.clock import Clock
from sentienguard.ports.metric_source import Query

PERIODS: Final = (60, 24 * 3600)  # seconds; finer ones are kept there for three hours alone
MOST_QUERIES: Final = 2000
_NEEDED: Final = frozenset({"region", "environment", "queries"})
_MORE: Final = frozenset({
    "access_key", "secret_key", "session_token", "profile", "role", "external_id", "endpoint",
    "every_seconds", "backfill_minutes", "secrets",
})  # fmt: skip
_QUERY: Final = frozenset({"namespace", "metric", "statistic"})
_QUERY_MORE: Final = frozenset({"dimensions", "period", "name", "host", "labels"})
_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,255}\Z", re.ASCII)


def pull(centre: Centre, directory: Path, desk: TelemetryDesk) -> CloudMetrics | None:
    """Return what pulls; None where no file asks for it. Raises SettingWrong, SecretNameWrong."""
    path = directory / centre.settings.cloudwatch_file
    if not path.exists():
        return None
    document = _document(path)
    plan = _plan(path, document)
    if plan.environment not in centre.environments:
        raise SettingWrong(f"{path}: environment: {plan.environment!a} does not exist")
    if not is_installed():
        raise SettingWrong(f"{path} needs boto3; install sentienguard[aws]")
    source = CloudWatch(_account(path, document, centre.clock), centre.clock)
    return CloudMetrics(centre, source, plan, desk)


def _account(path: Path, document: Mapping[str, Any], clock: Clock) -> Account:
    has_keys = {"access_key", "secret_key"} <= set(document)
    if has_keys == ("profile" in document):
        raise SettingWrong(f"{path}: expected access_key and secret_key, or profile")
    keys = None
    if has_keys:
        stores = app_secrets.opened(path.parent, clock, document.get("secrets"))
        keys = aws.credentials(stores, document)
    return Account(
        region=_text(path, document, "region"),
        keys=keys,
        profile=_text(path, document, "profile"),
        role=_text(path, document, "role"),
        external_id=_text(path, document, "external_id"),
        endpoint=_text(path, document, "endpoint"),
    )


def _plan(path: Path, document: Mapping[str, Any]) -> Plan:
    listed = document["queries"]
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_QUERIES:
        raise SettingWrong(f"{path}: queries: expected a list of 1 to {MOST_QUERIES}")
    region = _text(path, document, "region")
    queries = tuple(_queries(path, listed, region))
    names = [(one.name, tuple(sorted(one.labels.items()))) for one in queries]
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None:
        raise SettingWrong(f"{path}: two queries are called {twice[0]} with the same labels")
    return Plan(
        environment=_text(path, document, "environment"),
        queries=queries,
        every_s=_number(path, document, "every_seconds", 60, (10, 86400)),
        backfill=timedelta(minutes=_number(path, document, "backfill_minutes", 60, (0, 1440))),
    )


def _queries(path: Path, listed: list[Any], region: str) -> Iterator[Query]:
    for number, said in enumerate(listed):
        where = f"{path}: queries[{number}]"
        if not isinstance(said, dict) or not _QUERY <= set(said) <= _QUERY | _QUERY_MORE:
            raise SettingWrong(
                f"{where}: expected {', '.join(sorted(_QUERY))} and perhaps "
                f"{', '.join(sorted(_QUERY_MORE))}"
            )
        period = said.get("period", 60)
        least, most = PERIODS
        if not isinstance(period, int) or not least <= period <= most or period % 60:
            raise SettingWrong(f"{where}: period: expected a multiple of 60 up to {most} seconds")
        namespace, metric, statistic = (
            _text(path, said, name) for name in ("namespace", "metric", "statistic")
        )
        name = str(said.get("name") or _usual_name(namespace, metric, statistic))
        if not _NAME.match(name):
            raise SettingWrong(
                f"{where}: name: expected letters, digits and _, found {name[:80]!a}"
            )
        dimensions = _strings(where, said, "dimensions")
        labels = {f"dimension_{key}": value for key, value in dimensions.items()}
        labels |= {"region": region, **_strings(where, said, "labels")}
        if said.get("host"):
            labels["host"] = str(said["host"])
        yield Query(name, labels, namespace, metric, dimensions, statistic, period)


def _usual_name(namespace: str, metric: str, statistic: str) -> str:
    """Return `aws_rds_cpuutilization_average` of AWS/RDS, CPUUtilization, Average."""
    return re.sub(r"[^a-z0-9]+", "_", f"{namespace}_{metric}_{statistic}".lower()).strip("_")


def _strings(where: str, said: Mapping[str, Any], name: str) -> dict[str, str]:
    found = said.get(name) or {}
    if not isinstance(found, dict):
        raise SettingWrong(f"{where}: {name}: expected a mapping, found {type(found).__name__}")
    return {str(key): str(value) for key, value in found.items()}


def _text(path: Path, said: Mapping[str, Any], name: str) -> str:
    found = said.get(name, "")
    if not isinstance(found, str):
        raise SettingWrong(f"{path}: {name}: expected text, found {found!r}")
    return found


def _number(
    path: Path, said: Mapping[str, Any], name: str, usual: int, bounds: tuple[int, int]
) -> float:
    found = said.get(name, usual)
    if not isinstance(found, int | float) or not bounds[0] <= found <= bounds[1]:
        raise SettingWrong(f"{path}: {name}: expected {bounds[0]} to {bounds[1]}")
    return float(found)


def _document(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        raise SettingWrong(f"{path}: expected YAML that can be read") from cause
    if not isinstance(found, dict) or not _NEEDED <= set(found) <= _NEEDED | _MORE:
        raise SettingWrong(
            f"{path}: expected {', '.join(sorted(_NEEDED))} and perhaps {', '.join(sorted(_MORE))}"
        )
    return found
