"""AWS through our helper, a process for each call, against a server of its protocols (moto)."""

import pytest

from sentienguard.adapters.local_host import command_runner
from sentienguard.adapters.remote_programs import aws, aws_helper, programs, target
from sentienguard.playbook import objects
from sentienguard.ports import remote_objects

boto3 = pytest.importorskip("boto3", reason="no boto3 (pip install 'sentienguard[aws]')")
moto = pytest.importorskip("moto.server", reason="no moto (pip install 'moto[server]')")
pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("default")]

EFFORT = remote_objects.Effort(30.0, "order:step0", programs.Never())
REGION = "eu-central-1"


@pytest.fixture(scope="module")
def endpoint():
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def account(endpoint, tmp_path):
    keys = tmp_path / "credentials"
    keys.write_text("[default]\naws_access_key_id = test\naws_secret_access_key = test\n")
    return aws.Account(REGION, None, str(tmp_path / "config"), str(keys), endpoint)


@pytest.fixture
def cloud(account):
    vendor = aws.Aws(account, command_runner.LocalCommands())
    return target.Target(vendor, ("*/*",))


@pytest.fixture
def client(endpoint):
    def made(service):
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    return made


def fact(cloud, name, wanted="object_status"):
    return cloud.measure(objects.read(name), wanted)


def test_an_instance_is_read_and_rebooted(cloud, client):
    ec2 = client("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]
    name = f"aws-eu/ec2_instance/{made['InstanceId']}"
    assert fact(cloud, name) == "ok"
    asked = remote_objects.Asked(name, "aws_cli", "reboot_instance", {})
    seen = cloud.look(asked, EFFORT)
    assert cloud.act(asked, seen, EFFORT).changed
    ec2.stop_instances(InstanceIds=[made["InstanceId"]])
    assert fact(cloud, name) == "stopped"
    assert cloud.act(asked, seen, EFFORT).changed is False
    assert fact(cloud, "aws-eu/ec2_instance/i-0123456789abcdef0") == "missing"


def test_storage_of_a_database_is_raised_once(cloud, client):
    rds = client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="orders",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=100,
        MasterUsername="owner",
        MasterUserPassword="not-a-secret",
    )
    name = "aws-eu/rds_database/orders"
    assert (fact(cloud, name), fact(cloud, name, "object_capacity")) == ("ok", 100)
    arguments = {"by_percent": 20, "at_most": 1000}
    asked = remote_objects.Asked(name, "aws_cli", "raise_storage", arguments)
    seen = cloud.look(asked, EFFORT)
    assert cloud.act(asked, seen, EFFORT).changed
    assert fact(cloud, name, "object_capacity") == 120
    assert cloud.act(asked, seen, EFFORT).changed is False
    assert fact(cloud, "aws-eu/rds_database/nobody") == "missing"


def test_a_service_is_read_and_deployed_anew(cloud, client):
    ecs = client("ecs")
    ecs.create_cluster(clusterName="main")
    ecs.register_task_definition(
        family="web", containerDefinitions=[{"name": "app", "image": "web:1", "memory": 64}]
    )
    ecs.create_service(cluster="main", serviceName="web", taskDefinition="web", desiredCount=2)
    name = "aws-eu/ecs_service/main/web"
    assert fact(cloud, name, "object_capacity") == 2
    asked = remote_objects.Asked(name, "aws_cli", "redeploy_service", {})
    seen = cloud.look(asked, EFFORT)
    assert cloud.act(asked, seen, EFFORT).changed
    assert fact(cloud, "aws-eu/ecs_service/main/nobody") == "missing"


def test_an_operation_beside_the_closed_list_is_no_request(account, endpoint):
    vendor = aws.Aws(account, command_runner.LocalCommands())
    request = {"kind": "ec2_instance", "parts": ["i-0123456789abcdef0"], "call": "terminate"}
    with pytest.raises(remote_objects.Unreachable):
        vendor._ask({**request, "number": 0}, EFFORT)


SAID = [
    (400, "AccessDenied", "refused"),
    (404, "DBInstanceNotFound", "missing"),
    (500, "InternalFailure", "unreachable"),
    (503, "DBInstanceNotFound", "unreachable"),
    (None, "AccessDenied", "unreachable"),
]


@pytest.mark.parametrize(("status", "code", "because"), SAID)
def test_what_aws_itself_failed_at_is_unknown_and_not_refused(status, code, because):
    meta = {} if status is None else {"HTTPStatusCode": status}
    said = {"Error": {"Code": code}, "ResponseMetadata": meta}
    assert aws_helper._because(said) == because


def test_a_server_that_is_not_there_is_unreachable(account):
    gone = aws.Account(REGION, None, None, account.credentials_file, "http://127.0.0.1:9")
    vendor = aws.Aws(gone, command_runner.LocalCommands())
    with pytest.raises(remote_objects.Unreachable, match="connect"):
        vendor.read(objects.read("aws-eu/rds_database/orders"), EFFORT)


def test_an_owner_s_globs_bound_what_is_reached(account):
    vendor = aws.Aws(account, command_runner.LocalCommands())
    narrow = target.Target(vendor, ("rds_database/orders",))
    narrow.allow(objects.read("aws-eu/rds_database/orders"))
    with pytest.raises(remote_objects.UnknownObject, match="orders only"):
        narrow.allow(objects.read("aws-eu/rds_database/billing"))
