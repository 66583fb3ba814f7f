"""What a control plane that stops owes to those who wait for news of it: an answer, at once."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import centre_process
from tests.support.centre_process import Centre

pytestmark = pytest.mark.integration
LONG_S = 40  # far beyond what a stop may take


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with centre_process.running(tmp_path_factory.mktemp("stop")) as running:
        yield running


def test_a_stop_answers_polls_and_ends_streams_instead_of_cutting_them(centre: Centre) -> None:
    host = centre.enrol("waits")
    administrator = centre.login("admin@local")
    brought: list[dict[str, Any]] = []
    lines: list[str] = []
    waits = threading.Event()

    def listen() -> None:
        with administrator.stream("GET", "/api/v1/live", timeout=LONG_S) as stream:
            for line in stream.iter_lines():
                lines.append(line)
                waits.set()

    threads = [
        threading.Thread(target=listen),
        threading.Thread(target=lambda: brought.append(host.poll(wait_s=LONG_S))),
    ]
    for thread in threads:
        thread.start()
    assert waits.wait(10)
    centre.process.terminate()
    assert centre.process.wait(LONG_S / 2) == 0
    for thread in threads:
        thread.join()
    assert [answer["order"] for answer in brought] == [None]
    assert lines[0] == ": hello"
    log = (centre.data / "controlplane.log").read_text()
    assert "ERROR" not in log
    assert "Traceback" not in log
