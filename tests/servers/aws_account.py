"""AWS's protocols over HTTP, with an ill object of a kind that our playbooks are for.

Called by tests/integration/relays. moto keeps the objects and speaks the protocols. What it has not
is added in its own classes, so that every answer still goes through its serialiser, which is made
of AWS' published API model: status checks that fail, full storage, throttles, services with fewer
tasks than they want, instance refreshes, and that acts cure, fail or do not help. AWS itself was
not asked.
"""

import contextlib
import datetime as dt
import io
import json
import pathlib
import zipfile
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import boto3
from moto import server as moto_server
from moto.autoscaling import responses as scaling
from moto.awslambda import models as functions
from moto.backends import get_backend
from moto.core import responses as core
from moto.ec2.models import instances
from moto.ecs import models as containers
from moto.rds import models as databases

from tests.servers import cloud_accounts

REGION = "eu-central-1"
OWNER = "123456789012"
KEYS = "[default]\naws_access_key_id = test\naws_secret_access_key = test\n"
Mode = cloud_accounts.Mode


class AwsAccount:
    """A cloud_accounts.Account."""

    def __init__(self, endpoint: str, place: pathlib.Path) -> None:
        (place / "aws-credentials").write_text(KEYS)
        self._endpoint = endpoint
        self._mode = Mode.HELPS
        self._acts: list[str] = []
        self._ill: set[str] = set()  # kinds whose illness is not in moto's own objects
        self.refreshes: list[dict[str, Any]] = []
        self.target: dict[str, Any] = {
            "kind": "aws",
            "region": REGION,
            "credentials_file": str(place / "aws-credentials"),
            "endpoint": endpoint,
            "objects": ["*/*"],
        }
        self._names: dict[str, str] = {}

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self._endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def backend(self, service: str) -> Any:
        return get_backend(service)[OWNER][REGION]

    def make(self, kind: str) -> None:
        """Create the object of a kind by AWS' own calls, and let it fall ill."""
        {
            "ec2_instance": self._instance,
            "ec2_group": self._group,
            "rds_database": self._database,
            "lambda_function": self._function,
            "ecs_service": self._service,
        }[kind]()

    def name(self, kind: str) -> str:
        return self._names[kind]

    def set_mode(self, mode: cloud_accounts.Mode) -> None:
        self._mode = mode

    def acts(self) -> list[str]:
        return list(self._acts)

    def wrong(self) -> list[str]:
        return []

    def is_ill(self, kind: str) -> bool:
        return kind in self._ill

    def heal(self, kind: str) -> None:
        self._ill.discard(kind)
        match kind:
            case "ec2_group":
                for one in self._scaling_group().instance_states:
                    one.health_status = "Healthy"
            case "rds_database":
                self.backend("rds").databases["orders"].status = "available"
            case "lambda_function":
                self.backend("cloudwatch").metric_data.clear()
            case "ecs_service":
                self._tasks(self._ecs_service().desired_count)

    def capacity(self, kind: str) -> int:
        match kind:
            case "rds_database":
                return int(self.backend("rds").databases["orders"].allocated_storage)
            case "lambda_function":
                return int(self.backend("lambda").get_function("thumbs").reserved_concurrency)
            case _:
                return 0

    def set_capacity(self, kind: str, number: int) -> None:
        if kind == "rds_database":
            self.backend("rds").databases["orders"].allocated_storage = number
        else:
            self.backend("lambda").get_function("thumbs").reserved_concurrency = number

    def acting(self, kind: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method of moto that does its act, and what then comes of it."""

        def acted(*args: Any, **kwargs: Any) -> Any:
            if self._mode is Mode.FAILS_BEFORE_IT:
                raise RuntimeError("a fault of the tests before the act")
            done = original(*args, **kwargs)
            self._acts.append(f"{original.__name__} {self._names[kind]}")
            if self._mode is not Mode.DOES_NOT_HELP:
                self.heal(kind)
            if self._mode is Mode.FAILS_AFTER_IT:
                raise RuntimeError("a fault of the tests after the act")
            return done

        return acted

    def _instance(self) -> None:
        ec2 = self.client("ec2")
        image = ec2.describe_images()["Images"][0]["ImageId"]
        (made,) = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"]
        self._names["ec2_instance"] = f"ec2_instance/{made['InstanceId']}"
        self._ill.add("ec2_instance")

    def _group(self) -> None:
        client = self.client("autoscaling")
        image = self.client("ec2").describe_images()["Images"][0]["ImageId"]
        client.create_launch_configuration(
            LaunchConfigurationName="web", ImageId=image, InstanceType="t3.micro"
        )
        client.create_auto_scaling_group(
            AutoScalingGroupName="web",
            LaunchConfigurationName="web",
            MinSize=2,
            MaxSize=4,
            DesiredCapacity=3,
            AvailabilityZones=[f"{REGION}a"],
        )
        (found,) = client.describe_auto_scaling_groups()["AutoScalingGroups"]
        client.set_instance_health(
            InstanceId=found["Instances"][0]["InstanceId"], HealthStatus="Unhealthy"
        )
        self._names["ec2_group"] = "ec2_group/web"

    def _database(self) -> None:
        self.client("rds").create_db_instance(
            DBInstanceIdentifier="orders",
            DBInstanceClass="db.t3.micro",
            Engine="postgres",
            AllocatedStorage=100,
            MasterUsername="owner",
            MasterUserPassword="not-a-secret",
        )
        self.backend("rds").databases["orders"].status = "storage-full"
        self._names["rds_database"] = "rds_database/orders"

    def _function(self) -> None:
        trusted = {"Version": "2012-10-17", "Statement": []}
        role = self.client("iam").create_role(
            RoleName="thumbs", AssumeRolePolicyDocument=json.dumps(trusted)
        )
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr("app.py", "def run(event, context): return 1\n")
        client = self.client("lambda")
        client.create_function(
            FunctionName="thumbs",
            Runtime="python3.13",
            Role=role["Role"]["Arn"],
            Handler="app.run",
            Code={"ZipFile": packed.getvalue()},
        )
        client.put_function_concurrency(FunctionName="thumbs", ReservedConcurrentExecutions=10)
        self.throttle(ago_s=0)
        self._names["lambda_function"] = "lambda_function/thumbs"

    def throttle(self, *, ago_s: float) -> None:
        """Let the function have been throttled so long ago, and at no other time."""
        self.backend("cloudwatch").metric_data.clear()
        one = {
            "MetricName": "Throttles",
            "Dimensions": [{"Name": "FunctionName", "Value": "thumbs"}],
            "Timestamp": dt.datetime.now(dt.UTC) - dt.timedelta(seconds=ago_s),
            "Value": 7.0,
            "Unit": "Count",
        }
        self.client("cloudwatch").put_metric_data(Namespace="AWS/Lambda", MetricData=[one])

    def _service(self) -> None:
        client = self.client("ecs")
        client.create_cluster(clusterName="main")
        client.register_task_definition(
            family="web", containerDefinitions=[{"name": "app", "image": "web:1", "memory": 64}]
        )
        client.create_service(
            cluster="main", serviceName="web", taskDefinition="web", desiredCount=3
        )
        self._tasks(1)
        self._names["ecs_service"] = "ecs_service/main/web"

    def _tasks(self, running: int) -> None:
        service = self._ecs_service()
        service.running_count = running
        service.pending_count = 0
        for one in service.deployments:
            one.update(runningCount=running, pendingCount=0, rolloutState="COMPLETED")

    def _ecs_service(self) -> Any:
        return self.backend("ecs").services["main:web"]

    def _scaling_group(self) -> Any:
        return self.backend("autoscaling").autoscaling_groups["web"]


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Serve AWS' protocols on loopback until the block ends; return the address."""
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextlib.contextmanager
def running(endpoint: str, place: pathlib.Path, kind: str) -> Iterator[AwsAccount]:
    """Have an account with an ill object of one kind there, until the block ends."""
    account = AwsAccount(endpoint, place)
    try:
        account.make(kind)
        with contextlib.ExitStack() as additions:
            for addition in _additions(account):
                additions.enter_context(addition)
            yield account
    finally:
        for service in ("autoscaling", "cloudwatch", "ec2", "ecs", "iam", "lambda", "rds"):
            get_backend(service).reset()


def _additions(account: AwsAccount) -> list[Any]:
    healthy = instances.Instance.instance_status.fget

    def status(instance: Any) -> Any:
        return {"Status": "impaired"} if account.is_ill("ec2_instance") else healthy(instance)

    def describe(response: Any) -> core.ActionResult:
        del response
        return core.ActionResult({"InstanceRefreshes": account.refreshes})

    def start_instance_refresh(response: Any) -> core.ActionResult:
        asked = response._get_param("Preferences", {})
        account.refreshes.append(
            {
                "InstanceRefreshId": "08b91cf7-8fa6-48af-b6a6-d227f40f1b9b",
                "AutoScalingGroupName": response._get_param("AutoScalingGroupName"),
                "Status": "Successful",
                "Preferences": asked,
            }
        )
        return core.ActionResult({"InstanceRefreshId": account.refreshes[-1]["InstanceRefreshId"]})

    acts = [
        (instances.InstanceBackend, "reboot_instances", "ec2_instance"),
        (databases.RDSBackend, "modify_db_instance", "rds_database"),
        (functions.LambdaBackend, "put_function_concurrency", "lambda_function"),
        (containers.EC2ContainerServiceBackend, "update_service", "ecs_service"),
    ]
    refresh = account.acting("ec2_group", start_instance_refresh)
    of_scaling = scaling.AutoScalingResponse
    return [
        mock.patch.object(instances.Instance, "instance_status", property(status)),
        mock.patch.object(of_scaling, "describe_instance_refreshes", describe, create=True),
        mock.patch.object(of_scaling, "start_instance_refresh", refresh, create=True),
        *(
            mock.patch.object(of, method, account.acting(kind, getattr(of, method)))
            for of, method, kind in acts
        ),
    ]
