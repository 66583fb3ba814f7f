import pytest

from sentienguard.playbook import units


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [
        ("85%", 85, "percent"),
        ("85 %", 85, "percent"),
        ("3.0", 3, "plain"),
        ("90s", 90, "duration"),
        ("5m", 300, "duration"),
        ("1h", 3_600, "duration"),
        ("7d", 604_800, "duration"),
        ("500ms", 0.5, "duration"),
        ("500MB", 500_000_000, "size"),
        ("2GiB", 2 * 2**30, "size"),
        ("10B", 10, "size"),
    ],
)
def test_a_quantity_is_brought_to_its_base_unit(text, value, dimension):
    found = units.quantity(text)
    assert (found.value, found.dimension) == (value, dimension)


@pytest.mark.parametrize(
    "text", ["", "-1s", "1e9", "5 parsecs", "1m30s", "٣s", "5s\n", "nan", "inf"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(units.NotAQuantity):
        units.quantity(text)


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        (units.seconds, "5MB"),
        (units.seconds, "50%"),
        (units.seconds, True),
        (units.seconds, -1),
        (units.seconds, float("nan")),
        (units.bytes_of, "5s"),
        (units.percent, "101%"),
        (units.percent, "5s"),
    ],
)
def test_a_quantity_of_another_dimension_is_refused(reader, value):
    with pytest.raises(units.NotAQuantity):
        reader(value)


def test_numbers_without_a_unit_are_seconds_bytes_and_percent():
    assert (units.seconds("5"), units.bytes_of(7), units.percent("85")) == (5.0, 7, 85.0)
