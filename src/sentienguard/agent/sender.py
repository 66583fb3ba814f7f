"""The sender: from the head of the spool to the control plane, in order, until acknowledged.

Called by `agent.collector` in a thread of its own.

What the centre answers decides:

    2xx                     acknowledged; the text becomes the base of the next frame
    409                     it does not hold the base: the same sample goes again as a full frame
    400, 413, 415, 422      it will never take this sample: set aside, the next one goes
    anything else           it cannot now: the same sample goes again after a pause
"""

import threading

from sentienguard.agent import diary, spool, uplink
from sentienguard.model import errors
from sentienguard.stages.observe import wire

PATH = "/api/v1/metrics"
IDLE_S = 5.0  # between two looks at a spool that nobody woke us for
MOST_PAUSE_S = 60.0  # between two tries while the centre is away
LEAST_PAUSE_S = 2.0  # that this bound may be lowered to
_NEVER = frozenset({400, 413, 415, 422})
_UNKNOWN_BASE = 409


class Sender:
    """Sends one sample at a time."""

    def __init__(
        self,
        kept: spool.Spool,
        link: uplink.Uplink,
        told: diary.Diary,
        *,
        most_pause_s: float = MOST_PAUSE_S,
    ) -> None:
        """Take from `kept`; `most_pause_s` is how long a centre that is back may go unnoticed."""
        self._spool = kept
        self._uplink = link
        self._diary = told
        self._base = spool.Kept(0, b"")  # the newest acknowledged sample; 0: none in this run
        self._backoff = uplink.Backoff(
            first_s=0.5, most_s=min(max(most_pause_s, LEAST_PAUSE_S), MOST_PAUSE_S)
        )

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set."""
        while not stop.is_set():
            if not self._spool.wait(IDLE_S) or stop.is_set():
                continue
            try:
                self.send_head()
                self._spool.patient = True
                self._backoff.worked()
                self._diary.worked("uplink")
            except errors.Unavailable as error:
                if stop.is_set():
                    return
                self._spool.patient = False
                self._diary.failed("uplink", error)
                stop.wait(self._backoff.failed())
            except Exception as error:  # noqa: BLE001 - a full disk or a defect must not end sending
                self._diary.failed("sender", error)
                stop.wait(self._backoff.failed())

    def send_head(self) -> None:
        """Send the oldest sample and do what the answer asks. Raises errors.Unavailable."""
        kept = self._spool.head()
        if kept is None:
            return
        answer = self._post(kept)
        if answer.status == _UNKNOWN_BASE and self._base.seq:
            self._base = spool.Kept(0, b"")
            answer = self._post(kept)
        if answer.ok:
            self._base = kept
            self._spool.acknowledged(kept.seq)
        elif answer.status in _NEVER:
            self._diary.tell("sample refused", seq=kept.seq, answer=answer.reason())
            self._spool.refused(kept.seq, answer.reason())
        else:
            raise uplink.Unreachable(f"sample {kept.seq}: the centre answered {answer.reason()}")

    def _post(self, kept: spool.Kept) -> uplink.Answer:
        base = self._base if self._base.seq < kept.seq else spool.Kept(0, b"")
        frame = wire.encode(kept.text, kept.seq, base_seq=base.seq, base_text=base.text)
        return self._uplink.post(PATH, frame, wire.MEDIA_TYPE)
