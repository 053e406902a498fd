"""Compiled routes, kept between batches and reloaded only where something changed."""

from collections import ChainMap, OrderedDict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Protocol

from webhooks.event_types import patterns_for
from webhooks.matching.compiled_routes import CompiledRoutes, PatternRoutes, Route
from webhooks.messages import group_of
from webhooks.models.event import Event

# Beside a scope's patterns, none of which begins so: what was published in it by then is dropped.
ERASED_UNTIL = "#erased_until"
MAX_BYTES = 96 * 1024 * 1024  # of a process's memory, by estimate; the least used go first

Versions = Mapping[str, Mapping[str, int]]
_Place = tuple[str, str]  # scope, pattern


class RouteSource(Protocol):
    """Where routes are stored."""

    def versions(self, scopes: Sequence[str]) -> Versions:
        """Changes so far by scope and pattern, and ERASED_UNTIL; must include every change that was answered before the
        call."""
        ...

    def load(self, scope: str, pattern: str) -> Iterable[tuple[Route, str]]:
        """Routes with their webhooks' owners."""
        ...


@dataclass(frozen=True, slots=True)
class RouteSet:
    """All routes that one kind of event can take. `groups`: webhook id -> MessageGroupId of its owner.

    `static`: webhooks that are sent to from static addresses.
    """

    routes: CompiledRoutes
    groups: Mapping[str, str]
    static: Set[str] = frozenset()


@dataclass(slots=True)
class _Part:
    version: int
    routes: PatternRoutes
    groups: dict[str, str]
    static: set[str]
    users: set[tuple[_Place, ...]] = field(default_factory=set[tuple[_Place, ...]])  # the route sets made of it


class RouteCache:
    """Routes by scope and pattern, each compiled once for all event types that its pattern covers.

    One consistent read of versions per batch decides what is still good. What one event needs is always there; beyond
    that no more than `max_bytes` is kept. So a batch takes the routes of its events one after the other.
    """

    def __init__(self, source: RouteSource, max_bytes: int = MAX_BYTES) -> None:
        self._source = source
        self._max_bytes = max_bytes
        self._size = 0
        self._parts: OrderedDict[_Place, _Part] = OrderedDict()
        self._sets: dict[tuple[_Place, ...], RouteSet] = {}

    def versions(self, events: Iterable[Event]) -> Versions:
        """What `of` needs for these events. Raises Unavailable."""
        return self._source.versions(sorted({scope for event in events for scope in scopes_of(event)}))

    def of(self, event: Event, versions: Versions) -> RouteSet:
        """The event's routes. Raises Unavailable."""
        wanted = {
            (scope, pattern): version
            for scope in scopes_of(event)
            for pattern in patterns_for(event.event_type)
            if (version := versions.get(scope, {}).get(pattern, 0))
        }
        parts = [self._part(place, version) for place, version in wanted.items()]
        places = tuple(wanted)
        if places not in self._sets:
            made = RouteSet(
                CompiledRoutes([part.routes for part in parts]),
                ChainMap(*[part.groups for part in parts]),
                frozenset[str]().union(*[part.static for part in parts]),
            )
            self._sets[places] = made
            self._size += made.routes.size
            for part in parts:
                part.users.add(places)
        self._make_room(places)
        return self._sets[places]

    def _part(self, place: _Place, version: int) -> _Part:
        kept = self._parts.get(place)
        if kept is not None and kept.version != version:
            self._forget(place)  # before the new one takes memory
            kept = None
        if kept is None:
            groups: dict[str, str] = {}
            static: set[str] = set()

            def noted(route: Route, owner: str) -> Route:
                groups[route.webhook_id] = group_of(owner)
                if route.static_egress:
                    static.add(route.webhook_id)
                return route

            scope, pattern = place
            routes = PatternRoutes(pattern, (noted(*row) for row in self._source.load(scope, pattern)))
            kept = self._parts[place] = _Part(version, routes, groups, static)
            self._size += routes.size
        self._parts.move_to_end(place)
        return kept

    def _make_room(self, needed: Sequence[_Place]) -> None:
        while self._size > self._max_bytes and (oldest := next(iter(self._parts))) not in needed:
            self._forget(oldest)

    def _forget(self, place: _Place) -> None:
        part = self._parts.pop(place)
        self._size -= part.routes.size
        for users in part.users:
            if users in self._sets:
                self._size -= self._sets.pop(users).routes.size


def scopes_of(event: Event) -> tuple[str, ...]:
    """Webhooks of the event's workspace, and those without a workspace of the event's user."""
    if event.user_scope is None or event.user_scope == event.scope:
        return (event.scope,)
    return (event.scope, event.user_scope)
