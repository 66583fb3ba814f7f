"""Data keys that a server of KMS's protocol (moto) wraps, and the way there from a file."""

import contextlib
import dataclasses
import functools
from datetime import UTC, datetime

import pytest

from sentienguard.adapters.key_keepers import aws_kms, several
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.adapters.sql_store import data_keys, open_database
from sentienguard.ports import key_keeper
from sentienguard.trust import sigv4
from tests.support import sealed_store
from tests.support.sealed_store import ALL, fill, whole

boto3 = pytest.importorskip("boto3", reason="no boto3 (pip install 'sentienguard[aws]')")
moto = pytest.importorskip("moto.server", reason="no moto (pip install 'moto[server]')")
pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("default")]
REGION = "eu-central-1"
url, keeper = sealed_store.url, sealed_store.keeper


@pytest.fixture(scope="module")
def kms():
    """Serve KMS with two keys; yield what makes a keeper of one."""
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    endpoint = "http://{}:{}".format(*running.get_host_and_port())
    client = boto3.client(
        "kms", region_name=REGION, endpoint_url=endpoint,
        aws_access_key_id="AKID", aws_secret_access_key="s",
    )  # fmt: skip
    keys = [client.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]

    def keeper(number, key="", way=None):
        return aws_kms.AwsKms(
            key or keys[number], endpoint, REGION,
            credentials=lambda: sigv4.Credentials("AKID", "secret-of-the-role"),
            way=way or GuardedClient([Allowed.of(endpoint, private=True)]),
            now=functools.partial(datetime.now, UTC),
        )  # fmt: skip

    yield keeper
    running.stop()


def test_keys_move_from_the_file_to_kms_and_between_its_keys(url, keeper, kms):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
    first = several.Several([kms(0), keeper])
    with contextlib.closing(open_database(url, first)) as stores:
        assert whole(stores)
        assert stores.data_keys.rotate() == data_keys.Rotation(2, 1, ALL)
    with contextlib.closing(open_database(url, kms(0))) as stores:  # the file is needed no more
        assert whole(stores)
    second = several.Several([kms(1), kms(0)])
    with contextlib.closing(open_database(url, second)) as stores:
        assert stores.data_keys.rotate() == data_keys.Rotation(3, 2, ALL)
    with contextlib.closing(open_database(url, kms(1))) as stores:
        assert whole(stores)
    with pytest.raises(key_keeper.KeyRefused, match="was asked for what"):
        open_database(url, kms(0))
    with pytest.raises(key_keeper.KeyRefused, match="former"):
        open_database(url, several.Several([kms(0), keeper]))


def test_kms_is_asked_once_and_told_what_it_is_for(url, kms):
    sent = []

    class Way:
        inner = kms(0)._way

        def send(self, request):
            sent.append(request)
            return self.inner.send(request)

    with contextlib.closing(open_database(url, kms(0, way=Way()))) as stores:
        fill(stores)
        assert whole(stores)
    targets = [request.headers["x-amz-target"] for request in sent]
    assert targets == ["TrentService.Encrypt", "TrentService.Decrypt"]
    assert all(b'"EncryptionContext": {"sentienguard": "data key 1"}' in one.body for one in sent)
    assert all(b"secret-of-the-role" not in repr(one).encode() for one in sent)


def test_kms_opens_a_data_key_for_its_own_purpose_only(kms):
    name, wrapped = kms(0).wrap(bytes(32), "data key 1")
    assert kms(0).unwrap(name, wrapped, "data key 1") == bytes(32)
    with pytest.raises(key_keeper.KeyRefused, match="InvalidCiphertext"):
        kms(0).unwrap(name, wrapped, "data key 2")
    with pytest.raises(key_keeper.KeyRefused, match="InvalidCiphertext"):
        kms(0).unwrap(name, wrapped[:-1] + bytes([wrapped[-1] ^ 1]), "data key 1")
    with pytest.raises(key_keeper.KeyRefused, match="NotFound"):
        kms(0, key=f"arn:aws:kms:{REGION}:123456789012:key/none").wrap(bytes(32), "x")


@dataclasses.dataclass
class Says:
    status: int
    body: bytes
    headers: dict = dataclasses.field(default_factory=dict)

    def send(self, request):
        del request
        return self


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Says(500, b'{"__type": "KMSInternalException"}'), key_keeper.KeeperAway),
        (Says(400, b'{"__type": "com.amazonaws#ThrottlingException"}'), key_keeper.KeeperAway),
        (Says(400, b'{"__type": "AccessDeniedException"}'), key_keeper.KeyRefused),
        (Says(400, b'{"__type": "DisabledException"}'), key_keeper.KeyRefused),
        (Says(503, b"<html>"), key_keeper.KeeperAway),
        (Says(200, b"[1]"), key_keeper.KeyRefused),
        (Says(200, b'{"CiphertextBlob": 7}'), key_keeper.KeyRefused),
        (Says(200, b'{"CiphertextBlob": "%%"}'), key_keeper.KeyRefused),
    ],
)
def test_what_kms_answers_is_told_by_what_to_do_next(kms, answer, kind):
    with pytest.raises(kind):
        kms(0, way=answer).wrap(bytes(32), "data key 1")
