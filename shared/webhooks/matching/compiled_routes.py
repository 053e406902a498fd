"""Which webhooks an event goes to, and why not to the others.

A webhook is reached by any one subscription whose pattern, resource and filters all fit. Work per event grows with the
subscriptions that can match, not with all of them: an index on the resource and on what each filter requires finds the
candidates, and the others are counted by subtraction.
"""

from collections import ChainMap, Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from webhooks.errors import InvalidFilter
from webhooks.event_types import patterns_for
from webhooks.matching.filter_index import FilterIndex
from webhooks.matching.subject import Predicate, Subject, unchecked
from webhooks.payload import dumps

QUEUED = "queued"
# Why an event does not reach a webhook. Stable: recorded with the event and shown by the API. A webhook that an event
# would have reached but for its status has the status (inactive, failed) as its reason.
FILTERED = "filtered"
RESOURCE_MISMATCH = "resource_mismatch"
NOT_SUBSCRIBED = "not_subscribed"
INVALID_FILTER = "invalid_filter"  # stored by another version of this service, and unreadable to this one

TAKES_EVENTS = frozenset(("active", "paused"))  # what reaches a paused webhook waits for its resume
# The status in the routes of a pull webhook that takes events. A version that does not know it records them as missed.
PULL = "pull"
_TAKES = TAKES_EVENTS | {PULL}
_ANY_RESOURCE: frozenset[str | None] = frozenset((None,))
_PATTERN_BYTES = 4_096  # of memory, for each `PatternRoutes`
_SUBSCRIPTION_BYTES = 700  # of memory, measured: what a subscription takes without filters
_FILTER_FACTOR = 16  # of memory, measured: what filters take ready for use, for each byte of their document
_WEBHOOK_BYTES = 400  # of memory, for each webhook of a `CompiledRoutes`
_BETWEEN_CHECKS = 64  # candidates
_NONE: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True)
class RouteSubscription:
    """An active subscription, reduced to what matching needs; `filters` is its document as stored."""

    subscription_id: str
    pattern: str
    resource_id: str | None = None
    filters: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Subscriptions of one webhook."""

    webhook_id: str
    status: str
    subscriptions: tuple[RouteSubscription, ...]
    static_egress: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for one webhook; `reason` is "queued" or why not."""

    webhook_id: str
    queued: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided for all webhooks of the routes; lists are sorted by webhook id."""

    queued: list[str]
    missed: list[tuple[str, str]]  # (webhook id, status): would have been queued but for the status
    skipped_counts: dict[str, int]  # by reason, every other webhook
    skipped_first: list[tuple[str, str]]  # (webhook id, reason) of the first of those
    pulled: list[str] = field(default_factory=list[str])  # to be read, not sent


class PatternRoutes:
    """Routes for one pattern, indexed once for all event types that it covers.

    Filters are compiled when an event first needs them. `size`: bytes of memory that all of it may come to.
    """

    def __init__(self, pattern: str, routes: Iterable[Route]) -> None:
        self.pattern = pattern
        self.statuses: dict[str, str] = {}
        self.resources: dict[str, frozenset[str | None]] = {}  # by webhook; None: any resource
        self.size = _PATTERN_BYTES
        by_resource: dict[str | None, list[tuple[Mapping[str, object], _Candidate]]] = defaultdict(list)
        for route in routes:
            self.statuses[route.webhook_id] = route.status
            for subscription in route.subscriptions:
                if subscription.pattern != pattern:
                    continue
                filters = subscription.filters or {}
                by_resource[subscription.resource_id].append((filters, _Candidate(route.webhook_id, filters)))
                bound_to = self.resources.get(route.webhook_id, frozenset[str | None]())
                if subscription.resource_id is None and not bound_to:
                    self.resources[route.webhook_id] = _ANY_RESOURCE
                else:
                    self.resources[route.webhook_id] = bound_to | {subscription.resource_id}
                self.size += _SUBSCRIPTION_BYTES + _FILTER_FACTOR * (len(dumps(filters)) if filters else 0)
        self._indexes = {resource_id: FilterIndex(group) for resource_id, group in by_resource.items()}

    def find(self, subject: Subject, found: "_Found") -> None:
        """Add the webhooks that want the event."""
        for fitting in {None, found.resource_id}:
            index = self._indexes.get(fitting)
            if index is not None:
                for candidates in index.candidates(subject):
                    _ask(candidates, subject, found)


class CompiledRoutes:
    """Routes for several patterns, made ready to match many events."""

    def __init__(self, parts: Sequence[PatternRoutes]) -> None:
        self._parts = parts
        self._statuses = parts[0].statuses if len(parts) == 1 else dict(ChainMap(*[part.statuses for part in parts]))
        self._webhook_ids = sorted(self._statuses)
        self._has_pull = PULL in self._statuses.values()
        self._views: dict[tuple[str, ...], _View] = {}

    @property
    def size(self) -> int:
        """Bytes of memory that it may come to beside its parts."""
        return _WEBHOOK_BYTES * len(self._webhook_ids)

    def match(self, event: Mapping[str, object], first: int = 20, check: Callable[[], None] = unchecked) -> Outcome:
        """Decide for every webhook; of those that the event does not fit, the `first` are named and all counted.

        `check` is called time and again, and may end what takes too long by an exception.
        """
        view = self._view(event)
        found = view.find(event, check)
        reached = sorted(found.wanting)
        return Outcome(
            queued=[webhook for webhook in reached if self._statuses[webhook] in TAKES_EVENTS],
            pulled=[webhook for webhook in reached if self._statuses[webhook] == PULL] if self._has_pull else [],
            missed=[(w, status) for w in reached if (status := self._statuses[w]) not in _TAKES],
            skipped_counts=self._counts(view, found),
            skipped_first=list(islice(self._skipped(view, found), first)),
        )

    def decisions(self, event: Mapping[str, object]) -> list[Decision]:
        """One decision for each webhook, sorted by its id: as many steps as there are webhooks."""
        outcome = self.match(event, first=len(self._webhook_ids))
        decisions = [Decision(webhook, True, QUEUED) for webhook in (*outcome.queued, *outcome.pulled)]
        decisions += [Decision(webhook, False, reason) for webhook, reason in outcome.missed + outcome.skipped_first]
        return sorted(decisions, key=lambda decision: decision.webhook_id)

    def _view(self, event: Mapping[str, object]) -> "_View":
        # Keyed by the patterns in use, so that events of made-up types cannot fill the memory.
        reaching = patterns_for(str(event.get("type")))
        fitting = [part for part in self._parts if part.pattern in reaching]
        patterns = tuple(part.pattern for part in fitting)
        if patterns not in self._views:
            self._views[patterns] = _View(fitting)
        return self._views[patterns]

    def _counts(self, view: "_View", found: "_Found") -> dict[str, int]:
        fitting = view.webhooks_fitting(found.resource_id)
        counts = {
            FILTERED: fitting - len(found.wanting) - len(found.invalid),
            RESOURCE_MISMATCH: len(view.resources) - fitting,
            NOT_SUBSCRIBED: len(self._webhook_ids) - len(view.resources),
            INVALID_FILTER: len(found.invalid),
        }
        return {reason: count for reason, count in counts.items() if count}

    def _skipped(self, view: "_View", found: "_Found") -> Iterator[tuple[str, str]]:
        for webhook_id in self._webhook_ids:
            if webhook_id not in found.wanting:
                yield webhook_id, _reason(view.resources.get(webhook_id), webhook_id, found)


def compile_routes(routes: Iterable[Route]) -> CompiledRoutes:
    """Routes of any patterns. Several may name the same webhook: they add up, and the last status counts."""
    routes = list(routes)
    statuses = {route.webhook_id: route.status for route in routes}
    by_pattern: dict[str, list[Route]] = defaultdict(list)
    for route in routes:
        for pattern in {subscription.pattern for subscription in route.subscriptions} or {""}:  # "" reaches nobody
            by_pattern[pattern].append(Route(route.webhook_id, statuses[route.webhook_id], route.subscriptions))
    return CompiledRoutes([PatternRoutes(pattern, chosen) for pattern, chosen in by_pattern.items()])


class _Candidate:
    """A subscription that may want an event. `wants` raises `InvalidFilter` when its filters cannot be read."""

    __slots__ = ("_filters", "wants", "webhook_id")

    def __init__(self, webhook_id: str, filters: Mapping[str, object]) -> None:
        self.webhook_id = webhook_id
        self._filters = filters
        self.wants: Predicate = self._compile_first if filters else _always

    def _compile_first(self, subject: Subject) -> bool:
        # which imports pydantic: a process whose events meet no filters does without
        from webhooks.matching.filter_document import parse_filters
        from webhooks.matching.filters import compile_predicate

        try:
            self.wants = compile_predicate(parse_filters(self._filters))
        except InvalidFilter:
            self.wants = _unreadable
        self._filters = _NONE  # its compiled form is enough
        return self.wants(subject)


def _always(_subject: Subject) -> bool:
    return True


def _unreadable(_subject: Subject) -> bool:
    raise InvalidFilter("filters: cannot be read by this version")


@dataclass(slots=True)
class _Found:
    """Webhooks that want an event, and those with a filter that cannot be read and no other that wants it."""

    resource_id: str | None
    wanting: set[str] = field(default_factory=set[str])
    invalid: set[str] = field(default_factory=set[str])


class _View:
    """The routes that one event type takes."""

    def __init__(self, parts: Sequence[PatternRoutes]) -> None:
        self._parts = parts
        self.resources = parts[0].resources if len(parts) == 1 else _added([part.resources for part in parts])
        # Webhooks that hear of any resource, under None; of those that do not, how many hear of each.
        self._webhooks = Counter[str | None](
            resource_id
            for bound_to in self.resources.values()
            for resource_id in (_ANY_RESOURCE if None in bound_to else bound_to)
        )

    def webhooks_fitting(self, resource_id: str | None) -> int:
        """How many webhooks have a subscription that hears of this resource."""
        return self._webhooks[None] + (0 if resource_id is None else self._webhooks[resource_id])

    def find(self, event: Mapping[str, object], check: Callable[[], None]) -> _Found:
        subject = Subject(event, check)
        resource_id = event.get("resource_id")
        found = _Found(None if resource_id is None else str(resource_id))
        for part in self._parts:
            part.find(subject, found)
        found.invalid -= found.wanting
        return found


def _added(parts: Sequence[Mapping[str, frozenset[str | None]]]) -> dict[str, frozenset[str | None]]:
    added: dict[str, frozenset[str | None]] = {}
    for part in parts:
        for webhook_id, bound_to in part.items():
            before = added.get(webhook_id)
            added[webhook_id] = bound_to if before is None or before == bound_to else before | bound_to
    return added


def _ask(candidates: list[_Candidate], subject: Subject, found: _Found) -> None:
    for position, candidate in enumerate(candidates):
        if not position % _BETWEEN_CHECKS:
            subject.check()
        try:
            if candidate.wants(subject):
                found.wanting.add(candidate.webhook_id)
        except InvalidFilter:
            found.invalid.add(candidate.webhook_id)


def _reason(resources: frozenset[str | None] | None, webhook_id: str, found: _Found) -> str:
    if resources is None:
        return NOT_SUBSCRIBED
    if webhook_id in found.invalid:
        return INVALID_FILTER
    return FILTERED if None in resources or found.resource_id in resources else RESOURCE_MISMATCH
