"""The series of a host's samples: the same objects again, right in value, and bounded."""

from datetime import UTC, datetime

from sentienguard.controlplane.desks import Names
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Sample, Series

AT = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
CPU, VAR = ("system.cpu_percent", ""), ("system.disk_usage_percent", "/var")


def sample(values: dict[tuple[str, str], float], host: str = "web-1") -> Sample:
    return Sample(AgentId("a"), host, "drill", {}, 1, AT, values)


def test_each_value_comes_by_its_series_and_each_series_is_one_object() -> None:
    names = Names()
    first = names.readings(sample({CPU: 1.0, VAR: 2.0}))
    assert first == [(Series("web-1", *CPU), 1.0), (Series("web-1", *VAR), 2.0)]
    again = names.readings(sample({VAR: 4.0, CPU: 3.0}))
    assert again == [(Series("web-1", *VAR), 4.0), (Series("web-1", *CPU), 3.0)]
    assert again[0][0] is first[1][0]
    assert again[1][0] is first[0][0]


def test_a_host_that_was_renamed_has_series_of_its_new_name() -> None:
    names = Names()
    names.readings(sample({CPU: 1.0}))
    assert names.readings(sample({CPU: 1.0}, "web-2")) == [(Series("web-2", *CPU), 1.0)]


def test_what_is_remembered_is_bounded_whatever_names_a_host_makes_up() -> None:
    names = Names()
    for number in range(100):
        made_up = {(f"app.job_{number}", str(one)): 1.0 for one in range(20)}
        assert len(names.readings(sample(made_up))) == 20
    assert len(names._series) <= 3 * 20
