"""Count what happened, for `/metrics` in the Prometheus text format.

Called by the intake and the API. Counts live from start to stop; what must survive is in the log.
"""

import threading
from collections import Counter

HELP = {
    "samples_total": "Samples from agents by result: accepted, duplicate, refused, unknown_base.",
    "anomalies_total": "Anomalous readings judged.",
    "anomalies_silenced_total": "Anomalous readings that opened nothing because of a silence.",
    "hosts_silent_total": "Hosts that people were told are silent.",
    "series_stopped_total": "Series that stopped while their host went on, by whose they are.",
    "incidents_opened_total": "Incidents opened.",
    "alerts_total": "Alerts from outside by result: new, repeated, and what became of new ones.",
    "alerts_refused_total": "Alerts that could not be read in a body that could.",
    "webhook_requests_total": "Requests of webhooks by result.",
    "telemetry_requests_total": "Requests of remote write and OTLP by result.",
    "pulls_total": "Rounds that pulled readings by result: answered, partial, and why not.",
    "pulled_points_total": "Readings pulled by result: read, repeated, beyond_window.",
    "outside_points_total": "Points of other systems by result: written, why refused or left out.",
    "outside_deviations_total": "Hosts whose series of other systems began to deviate together.",
    "changes_total": "Changes that pipelines told of by result: new, skipped.",
    "cluster_events_total": "Events of clusters by result: alert, change, left_out, other.",
    "cluster_watches_total": "Watches of clusters by their end: ended, expired, away, refused.",
    "outside_logs_total": "Log records of other systems by result.",
    "outside_spans_total": "Spans of other systems by result.",
    "notices_total": "Messages to people by result: sent, again, folded, dropped, failed.",
    "orders_released_total": "Orders released.",
    "orders_delivered_total": "Orders handed to agents, repetitions included.",
    "agent_events_total": "Signed events from agents by result.",
    "access_denied_total": "Requests denied: by role, credentials, signature or form.",
    "access_findings_total": "Findings about approvals and logins by rule.",
    "requests_refused_total": "Malformed requests by kind.",
}


class Counters:
    """Named counters with at most one label value each."""

    def __init__(self) -> None:
        """Start at zero."""
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, name: str, label: str = "", amount: int = 1) -> None:
        """Count; `name` is one of HELP."""
        with self._lock:
            self._counts[(name, label)] += amount

    def get(self, name: str, label: str = "") -> int:
        """Return one count."""
        with self._lock:
            return self._counts[(name, label)]

    def exposition(self) -> str:
        """Return all in the Prometheus text format, version 0.0.4."""
        with self._lock:
            counts = dict(self._counts)
        lines: list[str] = []
        for name, sentence in HELP.items():
            full = f"sentienguard_{name}"
            lines += [f"# HELP {full} {sentence}", f"# TYPE {full} counter"]
            for (counted, label), value in sorted(counts.items()):
                if counted == name:
                    braces = f'{{result="{label}"}}' if label else ""
                    lines.append(f"{full}{braces} {value}")
        return "\n".join(lines) + "\n"
