"""The predicate work of matching: 1,000 webhooks of one event type by the shape of their filters, 10 of which match."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.benchmarks import corpus
from tests.benchmarks.measuring import cpu_us
from webhooks.matching.compiled_routes import Route, RouteSubscription, compile_routes

MATCHING = 10
Filters = Callable[[int], Mapping[str, Any]]


def _rules(*rules: tuple[str, str, Any], joined: str = "and") -> Mapping[str, Any]:
    written = [{"field": field, "operator": operator, "value": value} for field, operator, value in rules]
    return {"conditions": {"operator": joined, "rules": written}}


def _of(number: int, wanted: Any, other: Any) -> Any:
    return wanted if number < MATCHING else other


# The event has Stage "wanted", Level 500 and Day 2026-05-05. The first ten filters match it.
SHAPES: Mapping[str, Filters] = {
    "equals": lambda n: {"fields": {"Stage": _of(n, "wanted", f"stage {n}")}},
    "in": lambda n: _rules(("Stage", "in", [_of(n, "wanted", f"stage {n}"), f"other {n}"])),
    "user_id": lambda n: {"user_id": [_of(n, 789, 10_000 + n)]},
    "greater_than": lambda n: _rules(("Level", "greater_than", _of(n, n, 1000 + n))),
    "less_than": lambda n: _rules(("Level", "less_than", _of(n, 1000 + n, -n))),
    "between": lambda n: _rules(
        ("Level", "greater_than_or_equal", _of(n, 490, 2 * n if n > 250 else n - 300)),
        ("Level", "less_than", _of(n, 510, 2 * n + 1 if n > 250 else n - 299)),
    ),
    "dates": lambda n: _rules(("Day", "greater_than_or_equal", _of(n, "2026-01-01", f"2027-{n:04}"))),
    "starts_with": lambda n: _rules(("Stage", "starts_with", _of(n, "want", f"stage {n}"))),
    "ends_with": lambda n: _rules(("Stage", "ends_with", _of(n, "ted", f"stage {n}"))),
    "contains": lambda n: _rules(("Stage", "contains", _of(n, "ante", f"stage {n}"))),
    "exists": lambda n: _rules((_of(n, "Stage", f"Field {n}"), "exists", None)),
    "equals and range": lambda n: _rules(
        ("Stage", "equals", _of(n, "wanted", f"stage {n}")), ("Level", "less_than", 501)
    ),
    "prefix and range": lambda n: _rules(
        ("Stage", "starts_with", "want"), ("Level", "greater_than", _of(n, n, 1000 + n))
    ),
    "either": lambda n: _rules(
        ("Stage", "equals", _of(n, "wanted", f"stage {n}")), ("Level", "less_than", -n), joined="or"
    ),
    "not_equals": lambda n: _rules(("Stage", "not_equals", _of(n, "x", "wanted"))),
    "not_contains": lambda n: _rules(("Stage", "not_contains", _of(n, "x", "wanted"[n % 5 :]))),
    "none of": lambda n: _rules(
        ("Stage", "equals", _of(n, f"stage {n}", "wanted")), ("Level", "less_than", -n), joined="not"
    ),
}
_MIXED = tuple(SHAPES)


def filters_of(shape: str) -> Filters:
    """By name; "mixture" is all of them in turn."""
    if shape == "mixture":
        return lambda n: SHAPES["equals" if n < MATCHING else _MIXED[n % len(_MIXED)]](n)
    return SHAPES[shape]


def matching(*, shape: str, subscriptions: int = 1000, units: int = 100) -> dict[str, float]:
    """CPU an event of deciding for every webhook, `subscriptions` of which want its type."""
    made = filters_of(shape)
    compiled = compile_routes(
        Route(f"wh_{n:026d}", "active", (RouteSubscription(f"sub_{n}", "record.updated", None, made(n)),))
        for n in range(subscriptions)
    )
    event = {**corpus.events(2)[0], "type": "record.updated", "user_id": 789}
    fields = {**event["data"]["fields"], "Stage": "wanted", "Level": 500, "Day": "2026-05-05"}
    event["data"] = {**event["data"], "fields": fields}
    if len(compiled.match(event).queued) != MATCHING:
        raise RuntimeError(f"{shape}: others match than were meant to")

    def work(_number: int) -> int:
        compiled.match(event)
        return 1

    return {"us": cpu_us(work, lambda number: number, warm_up=50, units=units)}
