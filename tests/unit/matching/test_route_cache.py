from collections.abc import Mapping, Sequence

from webhooks.events.validation import normalise
from webhooks.matching.compiled_routes import Route, RouteSubscription
from webhooks.matching.route_cache import MAX_KEPT, RouteCache
from webhooks.models.event import Event


class Source:
    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = {}
        self.rows: dict[tuple[str, str], list[tuple[Route, str]]] = {}
        self.loads: list[tuple[str, str]] = []
        self.version_reads = 0

    def add(self, scope: str, pattern: str, webhook_id: str) -> None:
        row = Route(webhook_id, "active", (RouteSubscription("sub_1", pattern),))
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


def test_versions_are_read_once_a_batch_and_routes_only_where_there_are_any() -> None:
    source = Source()
    source.add("ws:1", "record.*", "wh_1")
    routes = RouteCache(source).for_events([event(), event(), event("table.created")])
    assert source.version_reads == 1
    assert source.loads == [("ws:1", "record.*")]
    assert [each.routes.match(event().payload).queued for each in routes[:2]] == [["wh_1"], ["wh_1"]]


def test_what_did_not_change_is_not_read_again() -> None:
    source = Source()
    source.add("ws:1", "*", "wh_1")
    cache = RouteCache(source)
    cache.for_events([event()])
    cache.for_events([event()])
    assert len(source.loads) == 1


def test_a_change_is_seen_at_the_next_batch() -> None:
    source = Source()
    source.add("ws:1", "*", "wh_1")
    cache = RouteCache(source)
    cache.for_events([event()])
    source.add("user:7", "record.created", "wh_2")
    (routes,) = cache.for_events([event()])
    assert routes.routes.match(event().payload).queued == ["wh_1", "wh_2"]
    assert set(routes.groups) == {"wh_1", "wh_2"}


def test_memory_is_bounded() -> None:
    source = Source()
    cache = RouteCache(source)
    for number in range(MAX_KEPT + 50):
        cache.for_events([event(workspace_id=number)])
    assert len(cache._kept) == MAX_KEPT
