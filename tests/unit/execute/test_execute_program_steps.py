"""Steps on server programs, open files, lock files and the kernel: run twice, undone twice."""

import dataclasses
import json

import pytest

from sentienguard.model import ids
from sentienguard.model.order import StepStatus
from sentienguard.model.playbook import Action
from sentienguard.ports import kernel_settings, locks, open_files, servers
from sentienguard.stages.execute import parameters, steps, work
from tests.support import pretend_host

LOCK = locks.Lock("/run/lock/a", 4711, "4711\n", 0o644, 0, 0, 5)
HELD = open_files.Held(7, 9, 3, 1, 2, "/var/log/app.log", 900)


class Programs:
    """Every port of these steps, in memory."""

    def __init__(self):
        self.cache = True
        self.settings = {("redis", "policy"): "noeviction", ("haproxy", "web/a"): "drain"}
        self.chosen = {"slow_clients": ["9", "8"], "drained": ["web/a"], "stuck": ["c1"]}
        self.chosen["flapping"] = ["web/a"]
        self.did = []
        self.there = [LOCK]
        self.held = [HELD, dataclasses.replace(HELD, path="/tmp/sort.1", inode=3)]
        self.kernel = {"net.core.somaxconn": 128}

    def is_cache(self, service):
        return self.cache

    def setting(self, service, kind, key):
        return self.settings[kind, key]

    def change(self, service, kind, key, value):
        self.did.append(f"{kind} {key} {value}")
        self.settings[kind, key] = value

    def choose(self, service, kind, what, at_least):
        return tuple(self.chosen[what])

    def do(self, service, kind, deed, operand, limit):
        self.did.append(f"{kind} {deed} {operand}".strip())
        known = [one for one in self.chosen.values() if operand in one]
        for one in known:
            one.remove(operand)
        return bool(known) or not operand

    def deleted(self, service):
        return tuple(self.held)

    def truncate(self, held):
        self.did.append(f"truncate {held.path}")
        self.held.remove(held)
        return True

    def stale(self, min_age_s):
        return tuple(self.there)

    def remove(self, stale):
        gone = [one for one in stale if one in self.there]
        self.there = [one for one in self.there if one not in gone]
        return len(gone)

    def put_back(self, stale):
        self.there += [one for one in stale if one not in self.there]
        return sum(one in self.there for one in stale)

    def value(self, name):
        if name not in self.kernel:
            raise kernel_settings.SettingUnknown(name)
        return self.kernel[name]


class Kernel(Programs):
    """The kernel's `change` takes other operands."""

    def __init__(self, programs):
        self.kernel = programs.kernel

    def change(self, name, value):
        self.kernel[name] = value


class Bench:
    def __init__(self, programs, kind, **fields):
        self.programs = programs
        self.action = Action(kind, {"service": "s", **fields})
        self.kind = steps.KINDS[kind]
        host = dataclasses.replace(
            pretend_host.PretendHost(services={"s": True}).host(),
            servers=programs,
            open_files=programs,
            locks=programs,
            kernel=Kernel(programs),
        )
        self.context = work.Context(
            order=ids.OrderId("ord_0000000000000000"),
            host=host,
            bound=parameters.Bound({}),
            brought={},
            limit_s=30,
            mark="ord_0000000000000000:step0",
            interrupt=pretend_host.Interrupt(),
            started=lambda group: None,
        )
        self.recorded = self.kind.prepare(self.action, self.context)
        assert json.loads(json.dumps(self.recorded)) == self.recorded  # the journal holds JSON

    def run(self):
        return self.kind.run(self.action, self.context, self.recorded)

    def restore(self):
        return self.kind.restore(self.action, self.context, self.recorded)


@pytest.fixture
def programs():
    return Programs()


POLICY = {"operation": "set_policy", "policy": "volatile-ttl"}
FLAPPING = {"operation": "drain_flapping", "min_downs": 3}


@pytest.mark.parametrize(
    ("kind", "fields", "change"),
    [
        ("redis", POLICY, ("policy", "noeviction", "volatile-ttl")),
        ("haproxy", {"operation": "ready_drained"}, ("web/a", "drain", "ready")),
        ("haproxy", FLAPPING, ("web/a", "ready", "drain")),
    ],
)
def test_a_setting_is_changed_once_and_given_back_once(programs, kind, fields, change):
    key, before, after = change
    programs.settings[kind, key] = before
    bench = Bench(programs, kind, **fields)
    assert bench.run().changed is True
    assert bench.run().changed is False
    assert programs.settings[kind, key] == after
    assert programs.did == [f"{kind} {key} {after}"]
    for _ in range(2):
        assert bench.restore().status is StepStatus.SUCCESS
        assert programs.settings[kind, key] == before
    assert len(programs.did) == 2


@pytest.mark.parametrize("at", ["run", "restore"])
def test_what_somebody_set_meanwhile_is_theirs(programs, at):
    bench = Bench(programs, "redis", **POLICY)
    if at == "restore":
        bench.run()
    programs.settings["redis", "policy"] = "allkeys-lfu"
    assert getattr(bench, at)().status is StepStatus.FAILED
    assert programs.settings["redis", "policy"] == "allkeys-lfu"


@pytest.mark.parametrize("fields", [POLICY, {"operation": "flush"}])
def test_what_is_no_cache_neither_evicts_nor_is_flushed(programs, fields):
    programs.cache = False
    with pytest.raises(work.NotPossible, match="not declared a cache"):
        Bench(programs, "redis", **fields)
    assert programs.did == []


@pytest.mark.parametrize(
    ("kind", "fields", "did"),
    [
        (
            "redis",
            {"operation": "drop_clients", "min_buffer": 5},
            ["redis drop 9", "redis drop 8"],
        ),
        ("redis", {"operation": "drop_clients", "min_buffer": 5, "at_most": 1}, ["redis drop 9"]),
        ("rabbitmq", {"operation": "close_stuck", "min_idle": 60.0}, ["rabbitmq close c1"]),
        ("redis", {"operation": "flush"}, ["redis flush"]),
        ("redis", {"operation": "save"}, ["redis save"]),
        ("redis", {"operation": "reconnect"}, ["redis reconnect"]),
        ("certificate", {"operation": "renew"}, ["certificate renew"]),
    ],
)
def test_a_deed_is_done_to_what_was_chosen_and_says_that_it_has_no_undo(
    programs, kind, fields, did
):
    bench = Bench(programs, kind, **fields)
    assert (bench.run().changed, programs.did) == (True, did)
    assert bench.restore().status is StepStatus.NOT_UNDOABLE
    assert programs.did == did


def test_what_went_away_by_itself_counts_as_nothing(programs):
    bench = Bench(programs, "rabbitmq", operation="close_stuck", min_idle=60.0)
    programs.chosen["stuck"] = []
    assert bench.run().changed is False


TRUNCATE = {"operation": "truncate_deleted", "pattern": "*.log*", "min_size": 10}


def test_a_deleted_file_is_emptied_once_and_only_by_its_name(programs):
    bench = Bench(programs, "open_files", **TRUNCATE)
    assert bench.run().changed is True
    assert bench.run().changed is False
    assert programs.did == ["truncate /var/log/app.log"]
    assert bench.restore().status is StepStatus.NOT_UNDOABLE


def test_a_small_deleted_file_stays(programs):
    assert Bench(programs, "open_files", **{**TRUNCATE, "min_size": 901}).run().changed is False


def test_a_stale_lock_goes_once_and_comes_back_once(programs):
    bench = Bench(programs, "locks", operation="release", min_age=60.0)
    assert [bench.run().changed for _ in range(2)] == [True, False]
    assert programs.there == []
    for _ in range(2):
        assert bench.restore().status is StepStatus.SUCCESS
        assert programs.there == [LOCK]


def test_a_lock_that_somebody_took_is_not_written_over(programs):
    bench = Bench(programs, "locks", operation="release", min_age=60.0)
    bench.run()
    programs.put_back = lambda stale: 0
    assert bench.restore().status is StepStatus.FAILED


RAISE = {"operation": "raise", "setting": "net.core.somaxconn", "value": 4096}


def test_a_kernel_setting_is_raised_once_and_given_back_once(programs):
    bench = Bench(programs, "kernel", **RAISE)
    assert [bench.run().changed for _ in range(2)] == [True, False]
    assert programs.kernel["net.core.somaxconn"] == 4096
    for _ in range(2):
        assert bench.restore().status is StepStatus.SUCCESS
        assert programs.kernel["net.core.somaxconn"] == 128


def test_a_kernel_setting_is_never_lowered(programs):
    programs.kernel["net.core.somaxconn"] = 8192
    bench = Bench(programs, "kernel", **RAISE)
    assert bench.run().changed is False
    assert bench.restore().status is StepStatus.SUCCESS
    assert programs.kernel["net.core.somaxconn"] == 8192


@pytest.mark.parametrize(
    ("setting", "value"), [("net.core.somaxconn", 65_536), ("kernel.panic", 1)]
)
def test_neither_more_than_the_cap_nor_another_setting(programs, setting, value):
    with pytest.raises(work.NotPossible, match="may be raised"):
        Bench(programs, "kernel", operation="raise", setting=setting, value=value)


def test_a_kernel_without_the_setting_is_left_alone(programs):
    programs.kernel.clear()
    with pytest.raises(kernel_settings.SettingUnknown):
        Bench(programs, "kernel", **RAISE)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("redis", {"operation": "save"}),
        ("haproxy", {"operation": "ready_drained"}),
        ("rabbitmq", {"operation": "close_stuck", "min_idle": 1.0}),
        ("certificate", {"operation": "renew"}),
        ("open_files", TRUNCATE),
        ("locks", {"operation": "release", "min_age": 1.0}),
        ("kernel", RAISE),
    ],
)
def test_a_host_that_offers_none_of_it_refuses(kind, fields):
    action = Action(kind, {"service": "s", **fields})
    host = pretend_host.PretendHost(services={"s": True}).host()
    context = work.Context(
        order=ids.OrderId("ord_0000000000000000"),
        host=host,
        bound=parameters.Bound({}),
        brought={},
        limit_s=30,
        mark="m",
        interrupt=pretend_host.Interrupt(),
        started=lambda group: None,
    )
    with pytest.raises((work.NotPossible, servers.NotControlled)):
        steps.KINDS[kind].prepare(action, context)


class Tree(pretend_host.Files):
    """Files by name."""

    def __init__(self, contents):
        self.contents = contents

    def read(self, path):
        return self.contents[path]

    def replace(self, path, content):
        self.contents[path] = content


def with_files(programs, contents):
    bench = object.__new__(Bench)
    bench.action = Action(
        "fs", {"operation": "use_backup", "path": "/etc/x.conf", "suffix": ".last-good"}
    )
    bench.kind = steps.KINDS["fs"]
    bench.context = dataclasses.replace(
        Bench(programs, "redis", operation="save").context,
        host=dataclasses.replace(pretend_host.PretendHost().host(), files=Tree(contents)),
    )
    bench.recorded = bench.kind.prepare(bench.action, bench.context)
    return bench


def test_a_copy_takes_the_place_of_a_file_once_and_gives_it_back_once(programs):
    contents = {"/etc/x.conf": b"bad", "/etc/x.conf.last-good": b"good"}
    bench = with_files(programs, contents)
    assert [bench.run().changed for _ in range(1)] == [True]
    assert contents["/etc/x.conf"] == b"good"
    for _ in range(2):
        assert bench.restore().status is StepStatus.SUCCESS
        assert contents["/etc/x.conf"] == b"bad"
    assert contents["/etc/x.conf.last-good"] == b"good"


def test_a_copy_that_changed_meanwhile_is_not_used(programs):
    contents = {"/etc/x.conf": b"bad", "/etc/x.conf.last-good": b"good"}
    bench = with_files(programs, contents)
    contents["/etc/x.conf.last-good"] = b"other"
    assert bench.run().status is StepStatus.FAILED
    assert contents["/etc/x.conf"] == b"bad"


def test_an_empty_copy_is_refused(programs):
    with pytest.raises(work.NotPossible, match="empty"):
        with_files(programs, {"/etc/x.conf": b"bad", "/etc/x.conf.last-good": b" \n"})
