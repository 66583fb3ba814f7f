"""Ask AWS one thing: `python -I aws_helper.py REQUEST`, JSON in, one line of JSON out.

Started by `aws` as a process of its own, so that boto3 is never in the executor. Needs the extra
`sentienguard[aws]`. Imports nothing of sentienguard. REQUEST: {kind, parts, region, profile,
config_file, credentials_file, endpoint, limit_s} asks how an object is; with {call, number}, it
acts. Answers {identity, status, capacity, healthy}, {done}, or {error, because}, where because is
missing, refused or unreachable. The list of operations is closed: `READS` and `CALLS`.
"""

import datetime as dt
import json
import os
import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias

Client: TypeAlias = Callable[[str], Any]
Answer: TypeAlias = dict[str, Any]

THROTTLED_S: Final = 90  # a function that was throttled within so long is: one value a minute, late
MINUTE_S: Final = 60  # of which CloudWatch has one value each, its start rounded down to it
SERVER_ERROR: Final = 500  # from this status on AWS does not say that it refused
_RDS: Final = {
    "available": "ok",
    "storage-full": "storage_full",
    **dict.fromkeys(("stopped", "stopping"), "stopped"),
    **dict.fromkeys(("failed", "restore-error", "incompatible-parameters"), "failed"),
}
_REFRESHING: Final = {"Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking"}
_MISSING: Final = ("NotFound", "DBInstanceNotFound", "ResourceNotFound")


class Missing(Exception):
    """AWS knows no such object."""


def _instance(client: Client, name: str) -> Answer:
    ec2 = client("ec2")
    found = ec2.describe_instances(InstanceIds=[name])["Reservations"]
    if not found:
        raise Missing(name)
    (instance,) = found[0]["Instances"]
    state = instance["State"]["Name"]
    checks = ec2.describe_instance_status(InstanceIds=[name], IncludeAllInstances=True)
    status = (checks["InstanceStatuses"] or [{}])[0]
    own = status.get("InstanceStatus", {}).get("Status")
    host = status.get("SystemStatus", {}).get("Status")
    if state in {"stopped", "stopping", "terminated", "shutting-down"}:
        word = "stopped"
    elif host == "impaired":
        word = "failed"
    elif own == "impaired":
        word = "impaired"
    else:
        word = "ok" if state == "running" and own == "ok" else "updating"
    launched = str(instance.get("LaunchTime"))
    return _said(f"{name} {launched}", word, 1, int(word == "ok"))


def _group(client: Client, name: str) -> Answer:
    scaling = client("autoscaling")
    found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    if not found:
        raise Missing(name)
    (group,) = found
    healthy = sum(
        one["LifecycleState"] == "InService" and one["HealthStatus"] == "Healthy"
        for one in group["Instances"]
    )
    refreshes = scaling.describe_instance_refreshes(AutoScalingGroupName=name, MaxRecords=5)
    if any(one["Status"] in _REFRESHING for one in refreshes["InstanceRefreshes"]):
        word = "updating"
    elif healthy >= group["DesiredCapacity"]:
        word = "ok"
    else:
        word = "degraded" if healthy else "failed"
    return _said(group["AutoScalingGroupARN"], word, group["DesiredCapacity"], healthy)


def _database(client: Client, name: str) -> Answer:
    (found,) = client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    word = _RDS.get(found["DBInstanceStatus"], "updating")
    identity = found.get("DbiResourceId") or found["DBInstanceArn"]
    return _said(identity, word, found["AllocatedStorage"], int(word == "ok"))


def _function(client: Client, name: str) -> Answer:
    functions = client("lambda")
    arn = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
    held = functions.get_function_concurrency(FunctionName=name)
    reserved = held.get("ReservedConcurrentExecutions") or 0
    now = dt.datetime.now(dt.UTC)
    points = client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Throttles",
        Dimensions=[{"Name": "FunctionName", "Value": name}],
        StartTime=now - dt.timedelta(seconds=THROTTLED_S),
        EndTime=now,
        Period=MINUTE_S,
        Statistics=["Sum"],
    )["Datapoints"]
    word = "throttled" if sum(point["Sum"] for point in points) > 0 else "ok"
    return _said(arn, word, reserved, reserved)


def _service(client: Client, cluster: str, name: str) -> Answer:
    found = client("ecs").describe_services(cluster=cluster, services=[name])["services"]
    if not found or found[0].get("status") == "INACTIVE":
        raise Missing(f"{cluster}/{name}")
    service = found[0]
    running, wanted = service["runningCount"], service["desiredCount"]
    in_work = len(service["deployments"]) > 1 or any(
        one.get("rolloutState") == "IN_PROGRESS" for one in service["deployments"]
    )
    settled = "ok" if running >= wanted else "degraded"
    word = "updating" if in_work else settled
    identity = f"{service['serviceArn']} {service.get('createdAt')}"
    return _said(identity, word, wanted, running)


def _said(identity: str, status: str, capacity: int, healthy: int) -> Answer:
    return {"identity": identity, "status": status, "capacity": capacity, "healthy": healthy}


def _reboot(client: Client, _: int, name: str) -> None:
    client("ec2").reboot_instances(InstanceIds=[name])


def _refresh(client: Client, keep_percent: int, name: str) -> None:
    client("autoscaling").start_instance_refresh(
        AutoScalingGroupName=name, Preferences={"MinHealthyPercentage": keep_percent}
    )


def _more_storage(client: Client, gibibytes: int, name: str) -> None:
    client("rds").modify_db_instance(
        DBInstanceIdentifier=name, AllocatedStorage=gibibytes, ApplyImmediately=True
    )


def _concurrency(client: Client, reserved: int, name: str) -> None:
    client("lambda").put_function_concurrency(
        FunctionName=name, ReservedConcurrentExecutions=reserved
    )


def _redeploy(client: Client, _: int, cluster: str, name: str) -> None:
    client("ecs").update_service(cluster=cluster, service=name, forceNewDeployment=True)


READS: Final[dict[str, Callable[..., Answer]]] = {
    "ec2_instance": _instance,
    "ec2_group": _group,
    "rds_database": _database,
    "lambda_function": _function,
    "ecs_service": _service,
}
CALLS: Final[dict[tuple[str, str], Callable[..., None]]] = {
    ("ec2_instance", "reboot_instance"): _reboot,
    ("ec2_group", "refresh_instances"): _refresh,
    ("rds_database", "raise_storage"): _more_storage,
    ("lambda_function", "raise_concurrency"): _concurrency,
    ("ecs_service", "redeploy_service"): _redeploy,
}


def answer(request: dict[str, Any]) -> Answer:
    """Do what is asked and return what to print; never raises for what AWS says."""
    try:
        from botocore import exceptions  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
    except ImportError:
        return _wrong("refused", "boto3 is not installed; install sentienguard[aws]")
    try:
        return _asked(request)
    except Missing as error:
        return _wrong("missing", f"no {request['kind']} {error}")
    except exceptions.ClientError as error:
        return _wrong(_because(error.response), str(error))
    except exceptions.BotoCoreError as error:
        return _wrong("unreachable", str(error))
    except (KeyError, TypeError, ValueError) as error:
        return _wrong("unreachable", f"an answer of another shape: {error!r}")


def _asked(request: dict[str, Any]) -> Answer:
    import boto3  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
    from botocore import config  # noqa: PLC0415 - as above

    session = boto3.Session(profile_name=request["profile"], region_name=request["region"])
    # One attempt for acts: a second one after a lost answer might do it twice.
    settings = config.Config(
        connect_timeout=10,
        read_timeout=request["limit_s"],
        retries={"total_max_attempts": 1 if "call" in request else 3},
    )

    def client(service: str) -> Any:
        return session.client(service, endpoint_url=request["endpoint"], config=settings)

    if "call" in request:
        CALLS[request["kind"], request["call"]](client, request["number"], *request["parts"])
        return {"done": f"{request['call']} accepted"}
    return READS[request["kind"]](client, *request["parts"])


def _because(said: dict[str, Any]) -> str:
    """Judge an answer that is an error: what AWS itself failed at, it may have done."""
    if said.get("ResponseMetadata", {}).get("HTTPStatusCode", SERVER_ERROR) >= SERVER_ERROR:
        return "unreachable"
    code = str(said.get("Error", {}).get("Code", ""))
    return "missing" if any(word in code for word in _MISSING) else "refused"


def _wrong(because: str, said: str) -> Answer:
    return {"because": because, "error": said[:300]}


def main() -> None:
    """Read the request from argv, print the answer."""
    request = json.loads(sys.argv[1])
    for variable, field in (
        ("AWS_CONFIG_FILE", "config_file"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials_file"),
    ):
        if request[field] is not None:
            os.environ[variable] = request[field]
    sys.stdout.write(json.dumps(answer(request)) + "\n")


if __name__ == "__main__":
    main()
