"""What the sender and the couriers do with each answer, without a network."""

import json
import threading
from collections import deque

import pytest

from sentienguard.agent import bookmarks, couriers, diary, sender, spool, uplink
from sentienguard.model import errors
from sentienguard.stages.observe import wire


class Link:
    """Answers from a list, and keeps what was posted."""

    def __init__(self, *answers):
        self.answers = deque(answers)
        self.posted = []

    def post(self, path, body, media_type, *, wait_s=0):
        self.posted.append(body)
        return self.answers.popleft()

    def post_json(self, path, record, *, wait_s=0):
        return self.post(path, record, "application/json", wait_s=wait_s)

    def get(self, path, *, etag=""):
        self.posted.append(etag)
        return self.answers.popleft()


class Executor:
    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def ask(self, operation, **fields):
        self.asked.append((operation, fields))
        return self.answers.get(operation, {})


class Sampler:
    interval_s = 30.0

    def change_interval(self, seconds):
        self.interval_s = seconds


def answer(status, record=None, **headers):
    body = b"" if record is None else json.dumps(record).encode()
    return uplink.Answer(status, headers, body)


@pytest.fixture
def kept(tmp_path):
    made = spool.Spool(tmp_path / "collector" / "spool", most_bytes=1 << 20)
    for text in (b"first", b"second"):
        made.append(made.number(), text)
    yield made
    made.close()


def sending(kept, *answers):
    link = Link(*answers)
    return sender.Sender(kept, link, diary.Diary("test")), link


def test_an_acknowledged_sample_is_the_base_of_the_next(kept):
    one = kept.head()
    sends, link = sending(kept, answer(204), answer(204))
    sends.send_head()
    sends.send_head()
    assert wire.decode(link.posted[0], {}).text == b"first"
    assert wire.decode(link.posted[1], {one.seq: b"first"}).base_seq == one.seq
    assert kept.head() is None


def test_an_unknown_base_is_answered_with_a_full_frame_at_once(kept):
    sends, link = sending(kept, answer(204), answer(409), answer(204))
    sends.send_head()
    sends.send_head()
    assert wire.decode(link.posted[2], {}).text == b"second"
    assert kept.head() is None


def test_a_full_frame_that_is_answered_409_waits(kept):
    sends, _ = sending(kept, answer(409))
    with pytest.raises(errors.Unavailable):
        sends.send_head()
    assert kept.head().text == b"first"


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_sample_that_will_never_be_taken_is_set_aside(kept, status):
    sends, _ = sending(kept, answer(status, {"type": "x"}))
    sends.send_head()
    assert kept.head().text == b"second"
    assert kept.depth.refused == 1


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503])
def test_a_centre_that_cannot_now_gets_the_same_sample_again(kept, status):
    sends, _ = sending(kept, answer(status))
    with pytest.raises(errors.Unavailable):
        sends.send_head()
    assert kept.head().text == b"first"
    assert kept.depth.refused == 0


def test_the_configuration_is_remembered_only_when_the_executor_took_it():
    record = {"root": {}, "catalogue": {}, "playbooks": {}, "interval_s": 5}
    link = Link(answer(200, record, etag='"7"'), answer(200, record, etag='"7"'), answer(304))
    executor = Executor(config={"accepted": False, "reason": "old"})
    sampling = Sampler()
    courier = couriers.ConfigCourier(link, executor, sampling, every_s=30)
    with pytest.raises(couriers.Refused, match="old"):
        courier.carry()
    executor.answers["config"] = {"accepted": True}
    assert courier.carry() == 30
    assert courier.carry() == 30
    assert link.posted == ["", "", '"7"']
    assert sampling.interval_s == 5


def order_courier(tmp_path, link, executor):
    marks = bookmarks.Bookmarks(tmp_path / "state.json")
    return couriers.OrderCourier(link, executor, marks, diary.Diary("test"), wait_s=25)


def test_the_checkpoint_is_handed_over_before_stop_and_order(tmp_path):
    executor = Executor(ticket={"nonce": "n", "checkpoint": "c1", "tree_size": 3}, hello={})
    record = {"order": {"o": 1}, "stop": {"s": 1}, "checkpoint": "c2", "consistency": ["aa"]}
    link = Link(answer(200, record))
    assert order_courier(tmp_path, link, executor).carry() == 0
    assert [operation for operation, _ in executor.asked] == [
        "hello", "ticket", "checkpoint", "stop", "order",
    ]  # fmt: skip
    assert link.posted[0]["witness"] == {"checkpoint": "c1"}
    assert link.posted[0]["tree_size"] == 3
    assert link.posted[0]["ticket"] == {"nonce": "n"}


def test_a_poll_that_comes_back_empty_at_once_is_not_repeated_at_once(tmp_path):
    executor = Executor(ticket={"nonce": "n"}, hello={})
    rest = order_courier(tmp_path, Link(answer(204)), executor).carry()
    assert 0 < rest <= couriers.LEAST_POLL_S


def test_events_are_acknowledged_to_the_executor_only_after_the_centre_has_them(tmp_path):
    marks = bookmarks.Bookmarks(tmp_path / "state.json")
    executor = Executor(events={"events": [{"leaf": "x"}]})
    link = Link(answer(503), answer(422), answer(200, {"through": 1}))
    courier = couriers.EventCourier(link, executor, marks)
    for _ in range(2):
        with pytest.raises(errors.Unavailable):
            courier.carry()
    assert ("acked", {"through": 1}) not in executor.asked
    courier.carry()
    assert executor.asked[-1] == ("acked", {"through": 1})
    assert bookmarks.Bookmarks(tmp_path / "state.json").events == 1


def test_a_centre_that_holds_nothing_new_is_not_asked_without_pause(tmp_path):
    marks = bookmarks.Bookmarks(tmp_path / "state.json")
    marks.keep_events(4)
    executor = Executor(events={"events": [{"leaf": "x"}]})
    courier = couriers.EventCourier(Link(answer(200, {"through": 2})), executor, marks)
    with pytest.raises(couriers.Refused):
        courier.carry()
    assert marks.events == 2


def test_a_courier_goes_on_after_any_error_until_it_is_stopped():
    stop = threading.Event()

    class Stumbling:
        name = "stumbling"
        walks = 0

        def carry(self):
            self.walks += 1
            if self.walks == 2:
                stop.set()
            raise KeyError("nonce")

    courier = Stumbling()
    couriers.run(courier, diary.Diary("test"), stop)
    assert courier.walks == 2


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"log_files": {"a": 1}}', b'{"events_through": -1}']
)
def test_bookmarks_that_cannot_be_read_count_as_missing(tmp_path, content):
    file = tmp_path / "state.json"
    file.write_bytes(content)
    marks = bookmarks.Bookmarks(file)
    assert (marks.events, marks.positions) == (0, {})


def test_failures_are_told_at_powers_of_two(capsys):
    told = diary.Diary("test")
    for _ in range(9):
        told.failed("x", OSError("no"))
    told.worked("x")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line.get("times") for line in lines] == [1, 2, 4, 8, None]
    assert lines[-1]["event"] == "recovered"


def test_pauses_grow_to_their_limit_and_begin_again():
    pauses = uplink.Backoff(first_s=1, most_s=8)
    assert all(half <= pauses.failed() <= 2 * half for half in (0.5, 1, 2, 4, 4))
    pauses.worked()
    assert pauses.failed() <= 1
