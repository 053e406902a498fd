"""Compiled routes, kept between batches and reloaded only where something changed."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from webhooks.event_types import patterns_for
from webhooks.matching.compiled_routes import CompiledRoutes, Route
from webhooks.messages import group_of
from webhooks.models.event import Event

MAX_KEPT = 500  # route sets a process keeps; the least used go first


class RouteSource(Protocol):
    """Where routes are stored."""

    def versions(self, scopes: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """Changes so far by scope and pattern; must include every change that was answered before the call."""
        ...

    def load(self, scope: str, pattern: str) -> Sequence[tuple[Route, str]]:
        """Routes with their webhooks' owners."""
        ...


@dataclass(frozen=True, slots=True)
class RouteSet:
    """All routes that one kind of event can take. `groups`: webhook id -> MessageGroupId of its owner."""

    routes: CompiledRoutes
    groups: Mapping[str, str]
    stamp: tuple[int, ...]


class RouteCache:
    """Route sets by (scopes, event type). One consistent read of versions per batch decides what is still good."""

    def __init__(self, source: RouteSource) -> None:
        self._source = source
        self._kept: OrderedDict[tuple[tuple[str, ...], str], RouteSet] = OrderedDict()

    def for_events(self, events: Iterable[Event]) -> list[RouteSet]:
        """The route set of each event, in order. Raises Unavailable."""
        wanted = [(scopes_of(event), event.event_type) for event in events]
        versions = self._source.versions(sorted({scope for scopes, _ in wanted for scope in scopes}))
        return [self._get(scopes, event_type, versions) for scopes, event_type in wanted]

    def _get(self, scopes: tuple[str, ...], event_type: str, versions: Mapping[str, Mapping[str, int]]) -> RouteSet:
        places = [(scope, pattern) for scope in scopes for pattern in patterns_for(event_type)]
        stamp = tuple(versions.get(scope, {}).get(pattern, 0) for scope, pattern in places)
        kept = self._kept.get((scopes, event_type))
        if kept is None or kept.stamp != stamp:
            changed = [place for place, version in zip(places, stamp, strict=True) if version]
            rows = [row for scope, pattern in changed for row in self._source.load(scope, pattern)]
            groups = {route.webhook_id: group_of(owner) for route, owner in rows}
            kept = RouteSet(CompiledRoutes(route for route, _ in rows), groups, stamp)
            self._kept[(scopes, event_type)] = kept
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end((scopes, event_type))
        return kept


def scopes_of(event: Event) -> tuple[str, ...]:
    """Webhooks of the event's workspace, and those without a workspace of the event's user."""
    if event.user_scope is None or event.user_scope == event.scope:
        return (event.scope,)
    return (event.scope, event.user_scope)
