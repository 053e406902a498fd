import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhooks.matching.compiled_routes import Decision, Outcome, Route, RouteSubscription, compile_routes


def event(**changes: Any) -> dict[str, Any]:
    fields = {"status": "completed", "priority": "high", "amount": 500}
    return {
        "id": "evt_1",
        "type": "record.created",
        "resource_id": "rec1",
        "user_id": 7,
        "timestamp": "2024-01-01T12:00:00Z",
        "data": {"fields": fields},
        "metadata": {},
        **changes,
    }


def route(
    webhook_id: str,
    *,
    status: str = "active",
    pattern: str = "record.created",
    resource_id: str | None = None,
    filters: Mapping[str, object] | None = None,
) -> Route:
    return Route(webhook_id, status, (RouteSubscription(f"sub_{webhook_id}", pattern, resource_id, filters),))


def match(*routes: Route, of: Mapping[str, object] | None = None, first: int = 20) -> Outcome:
    return compile_routes(routes).match(event() if of is None else of, first)


def test_every_pattern_of_the_type_reaches() -> None:
    outcome = match(route("c", pattern="*"), route("b", pattern="record.*"), route("a"), route("d", pattern="table.*"))
    assert outcome.queued == ["a", "b", "c"]
    assert outcome.skipped_first == [("d", "not_subscribed")]


def test_operational_events_reach_nobody_by_a_wildcard() -> None:
    outcome = match(route("a", pattern="*"), route("b", pattern="webhook.disabled"), of=event(type="webhook.disabled"))
    assert outcome.queued == ["b"]


@pytest.mark.parametrize(
    ("status", "queued"), [("active", True), ("paused", True), ("inactive", False), ("failed", False)]
)
def test_a_status_decides_only_where_the_filters_match(status: str, queued: bool) -> None:
    outcome = match(route("a", status=status), route("b", status=status, filters={"fields": {"status": "open"}}))
    assert outcome.queued == (["a"] if queued else [])
    assert outcome.missed == ([] if queued else [("a", status)])
    assert outcome.skipped_first == [("b", "filtered")]


def test_a_bound_subscription_hears_of_its_resource_alone() -> None:
    outcome = match(route("a", resource_id="rec1"), route("b", resource_id="rec2"), route("c"))
    assert outcome.queued == ["a", "c"]
    assert outcome.skipped_counts == {"resource_mismatch": 1}


def test_an_event_without_a_resource_reaches_only_the_unbound() -> None:
    outcome = match(route("a", resource_id="None"), route("b"), of=event(resource_id=None))
    assert outcome.queued == ["b"]
    assert outcome.skipped_first == [("a", "resource_mismatch")]


def test_routes_of_one_webhook_add_up_and_any_subscription_will_do() -> None:
    outcome = match(
        route("a", filters={"fields": {"status": "open"}}),
        route("a", pattern="*", resource_id="rec2"),
        route("a", pattern="record.*", filters={"fields": {"priority": "high"}}),
    )
    assert outcome.queued == ["a"]
    assert outcome.skipped_counts == {}


def test_a_filter_that_said_no_is_named_before_a_resource_that_did_not_fit() -> None:
    outcome = match(route("a", resource_id="rec2"), route("a", pattern="*", filters={"fields": {"status": "open"}}))
    assert outcome.skipped_first == [("a", "filtered")]


def test_a_filter_that_cannot_be_read_is_a_reason_and_costs_nobody_else_anything() -> None:
    broken = {"fields": {"status": "completed"}, "from_the_future": 1}
    routes = (route("a", filters=broken), route("b"), route("c", filters=broken), route("c", pattern="*"))
    outcome = match(*routes)
    assert outcome.queued == ["b", "c"]
    assert outcome.skipped_counts == {"invalid_filter": 1}
    assert outcome.skipped_first == [("a", "invalid_filter")]
    compiled = compile_routes(routes)
    assert compiled.match(event()) == compiled.match(event()) == outcome


def test_the_first_skipped_are_named_and_all_are_counted() -> None:
    routes = [route(f"wh_{number:03}", filters={"fields": {"status": "open"}}) for number in range(30)]
    outcome = match(*routes, route("wh_005x"), first=7)
    assert outcome.skipped_first == [(f"wh_{number:03}", "filtered") for number in range(7)]
    assert outcome.skipped_counts == {"filtered": 30}


def test_decisions_name_every_webhook_once() -> None:
    compiled = compile_routes([route("c"), route("b", status="failed"), route("a", resource_id="rec2")])
    assert compiled.decisions(event()) == [
        Decision("a", False, "resource_mismatch"),
        Decision("b", False, "failed"),
        Decision("c", True, "queued"),
    ]


def test_no_routes_decide_nothing() -> None:
    assert match() == Outcome([], [], {}, [])


@pytest.mark.parametrize("changes", [{"type": None}, {"type": 5}, {"data": None}, {"resource_id": 5}, {"user_id": []}])
def test_an_odd_event_is_decided_too(changes: dict[str, Any]) -> None:
    outcome = match(route("a", pattern="*", filters={"user_id": [7]}), route("b", resource_id="5"), of=event(**changes))
    assert len(outcome.queued) + sum(outcome.skipped_counts.values()) == 2


# An independent matcher, written from the rules: no index, no compiling, one look at each pair.


def naive_value(of: Mapping[str, Any], name: str) -> list[object]:
    data = of.get("data") or {}
    return [place[name] for place in (data.get("fields") or {}, data) if name in place][:1]


def naive_equals(left: object, right: object) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def naive_rule(of: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    found = naive_value(of, rule["field"])
    match rule["operator"]:
        case "equals":
            return any(naive_equals(value, rule["value"]) for value in found)
        case "not_equals":
            return not any(naive_equals(value, rule["value"]) for value in found)
        case "in":
            return any(naive_equals(value, item) for value in found for item in rule["value"])
        case _:
            numbers = [v for v in found if isinstance(v, (int, float)) and not isinstance(v, bool)]
            return any(value > rule["value"] for value in numbers)


def naive_filters(of: Mapping[str, Any], filters: Mapping[str, Any]) -> bool:
    joined = {"and": all, "or": any, "not": lambda results: not any(results)}
    conditions = filters.get("conditions")
    return (
        all(
            any(naive_equals(v, wanted) for v in naive_value(of, name))
            for name, wanted in filters.get("fields", {}).items()
        )
        and (not conditions or joined[conditions["operator"]]([naive_rule(of, rule) for rule in conditions["rules"]]))
        and ("user_id" not in filters or str(of["user_id"]) in map(str, filters["user_id"]))
    )


def naive_match(routes: list[Route], of: Mapping[str, Any], first: int) -> Outcome:
    reaching = {of["type"], of["type"].split(".")[0] + ".*", "*"}
    reasons: dict[str, str] = {}
    for webhook_id in sorted({route.webhook_id for route in routes}):
        own = [route for route in routes if route.webhook_id == webhook_id]
        subscribed = [s for route in own for s in route.subscriptions if s.pattern in reaching]
        fitting = [s for s in subscribed if s.resource_id in (None, of["resource_id"])]
        status = own[-1].status
        if any(naive_filters(of, s.filters or {}) for s in fitting):
            reasons[webhook_id] = "queued" if status in ("active", "paused") else status
        else:
            reasons[webhook_id] = "filtered" if fitting else "resource_mismatch" if subscribed else "not_subscribed"
    skipped = [(w, r) for w, r in reasons.items() if r not in ("queued", "inactive", "failed")]
    return Outcome(
        queued=[w for w, r in reasons.items() if r == "queued"],
        missed=[(w, r) for w, r in reasons.items() if r in ("inactive", "failed")],
        skipped_counts=dict(Counter(reason for _, reason in skipped)),
        skipped_first=skipped[:first],
    )


_names = st.sampled_from(["a", "b", "c"])
_values = st.sampled_from([None, True, False, 0, 1, 1.0, 2, "", "x", "1"])
_rules = st.one_of(
    st.fixed_dictionaries({"field": _names, "operator": st.sampled_from(["equals", "not_equals"]), "value": _values}),
    st.fixed_dictionaries(
        {"field": _names, "operator": st.just("in"), "value": st.lists(_values, min_size=1, max_size=20)}
    ),
    st.fixed_dictionaries({"field": _names, "operator": st.just("greater_than"), "value": st.sampled_from([0, 1.5])}),
)
_filters = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "fields": st.dictionaries(_names, _values, max_size=2),
        "conditions": st.fixed_dictionaries(
            {"operator": st.sampled_from(["and", "or", "not"]), "rules": st.lists(_rules, min_size=1, max_size=3)}
        ),
        "user_id": st.lists(st.sampled_from([1, 2, "1", "u"]), min_size=1, max_size=3),
    },
)
_subscriptions = st.builds(
    RouteSubscription,
    st.just("sub"),
    st.sampled_from(["record.created", "record.*", "*", "table.created"]),
    st.sampled_from([None, None, "r1", "r2"]),
    _filters,
)
_routes = st.lists(
    st.builds(
        Route,
        st.integers(0, 30).map("wh_{:02}".format),
        st.sampled_from(["active", "active", "paused", "inactive", "failed"]),
        st.lists(_subscriptions, max_size=3).map(tuple),
    ),
    max_size=40,
)
_events = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["record.created", "record.updated", "table.created"]),
        "resource_id": st.sampled_from([None, "r1", "r2", "r3"]),
        "user_id": st.sampled_from([1, 2, "1", "u", 3]),
        "data": st.dictionaries(_names, _values) | st.fixed_dictionaries({"fields": st.dictionaries(_names, _values)}),
    }
)


@settings(max_examples=400)
@given(_routes, st.lists(_events, min_size=1, max_size=5), st.integers(0, 5))
def test_the_index_decides_exactly_as_a_look_at_every_pair(
    routes: list[Route], events: list[dict[str, Any]], first: int
) -> None:
    compiled = compile_routes(routes)
    for published in events:
        assert compiled.match(published, first) == naive_match(routes, published, first)


def all_of(*rules: tuple[str, object]) -> dict[str, Any]:
    written = [{"field": "key", "operator": operator, "value": value} for operator, value in rules]
    return {"conditions": {"operator": "and", "rules": written}}


# Of every shape, the filters numbered 30 to 39 want the key 3 and text "x3.".
SELECTIVE: dict[str, Callable[[int], dict[str, Any]]] = {
    "equals": lambda n: {"fields": {"status": "completed", "key": n // 10}},
    "greater_than": lambda n: all_of(("greater_than", 2 if n // 10 == 3 else n + 3)),
    "less_than": lambda n: all_of(("less_than", 4 if n // 10 == 3 else -n)),
    "between": lambda n: all_of(("greater_than_or_equal", n // 10), ("less_than_or_equal", n // 10 + 0.5)),
    "starts_with": lambda n: {"conditions": {"operator": "and", "rules": [text("starts_with", f"x{n // 10}.")]}},
    "ends_with": lambda n: {"conditions": {"operator": "and", "rules": [text("ends_with", f"x{n // 10}.")]}},
    "either": lambda n: {"conditions": {"operator": "or", "rules": [text("equals", f"x{n // 10}."), below(-n)]}},
}


def text(operator: str, value: str) -> dict[str, Any]:
    return {"field": "text", "operator": operator, "value": value}


def below(value: float) -> dict[str, Any]:
    return {"field": "key", "operator": "less_than", "value": value}


def seconds_to_match(subscriptions: int, filters: Callable[[int], dict[str, Any]]) -> float:
    compiled = compile_routes(route(f"wh_{n:06}", filters=filters(n)) for n in range(subscriptions))
    published = event(data={"fields": {"status": "completed", "key": 3, "text": "x3."}})
    assert len(compiled.match(published).queued) == 10
    rounds = []
    for _ in range(20):
        started = time.perf_counter()
        compiled.match(published)
        rounds.append(time.perf_counter() - started)
    return min(rounds)


@pytest.mark.parametrize("shape", SELECTIVE)
def test_work_grows_with_matches_and_not_with_subscriptions(shape: str) -> None:
    assert seconds_to_match(20_000, SELECTIVE[shape]) < 3 * seconds_to_match(200, SELECTIVE[shape])
