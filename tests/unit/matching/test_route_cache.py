from collections.abc import Mapping, Sequence

from webhooks.event_types import DEFAULT_EVENT_TYPES
from webhooks.events.validation import normalise
from webhooks.matching.compiled_routes import Route, RouteSubscription
from webhooks.matching.route_cache import RouteCache, RouteSet
from webhooks.models.event import Event


class Source:
    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = {}
        self.rows: dict[tuple[str, str], list[tuple[Route, str]]] = {}
        self.loads: list[tuple[str, str]] = []
        self.version_reads = 0

    def add(self, scope: str, pattern: str, webhook_id: str, filters: Mapping[str, object] | None = None) -> None:
        row = Route(webhook_id, "active", (RouteSubscription("sub_1", pattern, None, filters),))
        self.rows.setdefault((scope, pattern), []).append((row, "owner"))
        versions = self.counts.setdefault(scope, {})
        versions[pattern] = versions.get(pattern, 0) + 1

    def versions(self, scopes: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        self.version_reads += 1
        return {scope: dict(self.counts[scope]) for scope in scopes if scope in self.counts}

    def load(self, scope: str, pattern: str) -> Sequence[tuple[Route, str]]:
        self.loads.append((scope, pattern))
        return list(self.rows.get((scope, pattern), ()))


def event(kind: str = "record.created", workspace_id: int = 1) -> Event:
    raw = {"id": "e", "type": kind, "workspace_id": workspace_id, "user_id": 7}
    return normalise(raw, default_id="", default_timestamp="2025-01-01T00:00:00Z")


def read(cache: RouteCache, *events: Event) -> list[RouteSet]:
    versions = cache.versions(events)
    return [cache.of(each, versions) for each in events]


def test_versions_are_read_once_a_batch_and_routes_only_where_there_are_any() -> None:
    source = Source()
    source.add("ws:1", "record.*", "wh_1")
    routes = read(RouteCache(source), event(), event(), event("table.created"))
    assert source.version_reads == 1
    assert source.loads == [("ws:1", "record.*")]
    assert [each.routes.match(event().payload).queued for each in routes[:2]] == [["wh_1"], ["wh_1"]]


def test_what_did_not_change_is_not_read_again() -> None:
    source = Source()
    source.add("ws:1", "*", "wh_1")
    cache = RouteCache(source)
    read(cache, event())
    read(cache, event())
    assert len(source.loads) == 1


def test_a_pattern_is_read_and_compiled_once_for_all_event_types_that_it_covers() -> None:
    source = Source()
    source.add("ws:1", "*", "wh_1")
    source.add("ws:1", "record.*", "wh_2")
    cache = RouteCache(source)
    read(cache, *[event(kind) for kind in DEFAULT_EVENT_TYPES])
    assert sorted(source.loads) == [("ws:1", "*"), ("ws:1", "record.*")]
    assert len(cache._sets) == 2  # with records' routes, and without


def test_a_change_is_seen_at_the_next_batch() -> None:
    source = Source()
    source.add("ws:1", "*", "wh_1")
    cache = RouteCache(source)
    read(cache, event())
    source.add("user:7", "record.created", "wh_2")
    source.add("ws:1", "*", "wh_3")
    (routes,) = read(cache, event())
    assert routes.routes.match(event().payload).queued == ["wh_1", "wh_2", "wh_3"]
    assert set(routes.groups) == {"wh_1", "wh_2", "wh_3"}
    assert len(cache._parts) == 2


def test_memory_is_bounded_by_bytes() -> None:
    source = Source()
    large = {"fields": {"text": "x" * 1_000}}
    for number in range(100):
        source.add(f"ws:{number}", "*", "wh_1", filters=large)
    cache = RouteCache(source, max_bytes=10 * (6_000 + 16 * 1_000))
    for _ in range(3):
        for number in range(100):
            read(cache, event(workspace_id=number))
    assert 8 <= len(cache._parts) <= 10
    assert len(cache._sets) == len(cache._parts)
    assert cache._size == sum(each.routes.size for each in (*cache._parts.values(), *cache._sets.values()))
    loaded = len(source.loads)
    read(cache, event(workspace_id=99))
    assert len(source.loads) == loaded, "what was used last stays"


def test_what_one_event_needs_is_there_however_large() -> None:
    source = Source()
    for number in range(50):
        source.add("ws:1", "*", f"wh_{number:02}")
        source.add("ws:1", "record.created", f"wh_{number:02}")
    (routes,) = read(RouteCache(source, max_bytes=1), event())
    assert len(routes.routes.match(event().payload).queued) == 50
