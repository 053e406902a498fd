import pytest

from webhooks.event_types import (
    DEFAULT_EVENT_TYPES,
    OPERATIONAL_EVENT_TYPES,
    TEST_EVENT_TYPE,
    pattern_error,
    patterns_for,
)


@pytest.mark.parametrize("pattern", [*DEFAULT_EVENT_TYPES, *OPERATIONAL_EVENT_TYPES, "record.*", "user.*", "*"])
def test_types_and_wildcards_may_be_subscribed_to(pattern: str) -> None:
    assert pattern_error(pattern, DEFAULT_EVENT_TYPES) is None


@pytest.mark.parametrize(
    "pattern",
    ["", ".*", "**", "record", "record.", "record.*.*", "rec*", "*.created", "invoice.*", "Record.created", "*.*"],
)
def test_anything_else_is_refused_with_a_reason(pattern: str) -> None:
    assert pattern_error(pattern, DEFAULT_EVENT_TYPES)


def test_the_known_types_are_a_setting() -> None:
    assert pattern_error("invoice.*", ["invoice.paid"]) is None
    assert pattern_error("record.created", ["invoice.paid"])


@pytest.mark.parametrize("pattern", ["webhook.*", "delivery.*", TEST_EVENT_TYPE])
def test_operational_and_test_events_have_no_wildcard(pattern: str) -> None:
    assert pattern_error(pattern, [*DEFAULT_EVENT_TYPES, TEST_EVENT_TYPE])


@pytest.mark.parametrize(
    ("event_type", "patterns"),
    [
        ("record.created", ("record.created", "record.*", "*")),
        ("invoice.line.paid", ("invoice.line.paid", "invoice.line.*", "invoice.*", "*")),
        ("ping", ("ping", "*")),
        ("webhook.disabled", ("webhook.disabled",)),
        ("webhook.test", ("webhook.test",)),
    ],
)
def test_an_event_is_reached_by_its_name_and_its_wildcards(event_type: str, patterns: tuple[str, ...]) -> None:
    assert patterns_for(event_type) == patterns


def test_every_pattern_that_may_be_subscribed_to_reaches_a_known_type() -> None:
    reached = {pattern for name in (*DEFAULT_EVENT_TYPES, *OPERATIONAL_EVENT_TYPES) for pattern in patterns_for(name)}
    assert {"table.*", "record.*", "workspace.*", "user.*", "*"} < reached
    assert all(pattern_error(pattern, DEFAULT_EVENT_TYPES) is None for pattern in reached)
