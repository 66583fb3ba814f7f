"""A kept sample says what the sample said."""

from datetime import UTC, datetime

from sentienguard.controlplane import kept_samples
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import LogLine, Sample
from sentienguard.stages.observe import payload

AT = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
SAMPLE = Sample(
    agent=AgentId("6f0c1f0e-3f6e-4a54-9a53-0e8b6e3d7a11"),
    host="web-1",
    environment="drill",
    tags={"role": "web"},
    seq=7,
    at=AT,
    values={("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 40.5},
    log_lines=(LogLine(AT, "/var/log/syslog", "something went wrong"),),
)


def test_a_kept_sample_is_equal_and_has_the_same_text():
    text = payload.encode(SAMPLE)
    kept = kept_samples.kept(SAMPLE, text)
    assert kept == SAMPLE
    assert payload.encode(kept) == text
    assert kept.values["system.disk_usage_percent", "/srv"] == 40.5
