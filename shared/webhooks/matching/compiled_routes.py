"""Which webhooks an event goes to, and why not to the others.

A webhook is reached by any one subscription whose pattern, resource and filters all fit. Work per event grows with the
subscriptions that can match, not with all of them: an index on the resource and on what each filter requires finds the
candidates, and the others are counted by subtraction.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from webhooks.errors import InvalidFilter
from webhooks.event_types import patterns_for
from webhooks.matching.filter_index import FilterIndex
from webhooks.matching.filters import Predicate, Subject, compile_predicate, parse_filters

QUEUED = "queued"
# Why an event does not reach a webhook. Stable: recorded with the event and shown by the API. A webhook that an event
# would have reached but for its status has the status (inactive, failed) as its reason.
FILTERED = "filtered"
RESOURCE_MISMATCH = "resource_mismatch"
NOT_SUBSCRIBED = "not_subscribed"
INVALID_FILTER = "invalid_filter"  # stored by another version of this service, and unreadable to this one

_TAKES_EVENTS = frozenset(("active", "paused"))  # what reaches a paused webhook waits for its resume


@dataclass(frozen=True, slots=True)
class RouteSubscription:
    """An active subscription, reduced to what matching needs; `filters` is its document as stored."""

    subscription_id: str
    pattern: str
    resource_id: str | None = None
    filters: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Subscriptions of one webhook. Several routes may name the same one: they add up, and the last status counts."""

    webhook_id: str
    status: str
    subscriptions: tuple[RouteSubscription, ...]


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


class CompiledRoutes:
    """Routes made ready to match many events. Filters are compiled when an event first needs them."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._statuses: dict[str, str] = {}
        self._candidates: dict[str, list[_Candidate]] = defaultdict(list)  # by pattern
        for route in routes:
            self._statuses[route.webhook_id] = route.status
            for subscription in route.subscriptions:
                self._candidates[subscription.pattern].append(_Candidate(route.webhook_id, subscription))
        self._webhook_ids = sorted(self._statuses)
        self._views: dict[tuple[str, ...], _View] = {}

    def match(self, event: Mapping[str, object], first: int = 20) -> Outcome:
        """Decide for every webhook; of those that the event does not fit, the `first` are named and all counted."""
        view = self._view(event)
        found = view.find(event)
        reached = sorted(found.wanting)
        return Outcome(
            queued=[webhook for webhook in reached if self._statuses[webhook] in _TAKES_EVENTS],
            missed=[(w, status) for w in reached if (status := self._statuses[w]) not in _TAKES_EVENTS],
            skipped_counts=self._counts(view, found),
            skipped_first=list(islice(self._skipped(view, found), first)),
        )

    def decisions(self, event: Mapping[str, object]) -> list[Decision]:
        """One decision for each webhook, sorted by its id: as many steps as there are webhooks."""
        outcome = self.match(event, first=len(self._webhook_ids))
        decisions = [Decision(webhook, True, QUEUED) for webhook in outcome.queued]
        decisions += [Decision(webhook, False, reason) for webhook, reason in outcome.missed + outcome.skipped_first]
        return sorted(decisions, key=lambda decision: decision.webhook_id)

    def _view(self, event: Mapping[str, object]) -> "_View":
        # Keyed by the patterns in use, so that events of made-up types cannot fill the memory.
        patterns = tuple(p for p in patterns_for(str(event.get("type"))) if p in self._candidates)
        if patterns not in self._views:
            self._views[patterns] = _View([c for pattern in patterns for c in self._candidates[pattern]])
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


class _Candidate:
    """A subscription that may want an event. `wants` raises `InvalidFilter` when its filters cannot be read."""

    __slots__ = ("filters", "resource_id", "wants", "webhook_id")

    def __init__(self, webhook_id: str, subscription: RouteSubscription) -> None:
        self.webhook_id = webhook_id
        self.resource_id = subscription.resource_id
        self.filters = subscription.filters or {}
        self.wants: Predicate = self._compile_first

    def _compile_first(self, subject: Subject) -> bool:
        self.wants = compile_predicate(parse_filters(self.filters))
        return self.wants(subject)


@dataclass(slots=True)
class _Found:
    """Webhooks that want an event, and those with a filter that cannot be read and no other that wants it."""

    resource_id: str | None
    wanting: set[str] = field(default_factory=set[str])
    invalid: set[str] = field(default_factory=set[str])


class _View:
    """The subscriptions that one event type reaches, indexed."""

    def __init__(self, candidates: list[_Candidate]) -> None:
        self.resources: dict[str, set[str | None]] = defaultdict(set)  # by webhook; None: any resource
        by_resource: dict[str | None, list[_Candidate]] = defaultdict(list)
        for candidate in candidates:
            self.resources[candidate.webhook_id].add(candidate.resource_id)
            by_resource[candidate.resource_id].append(candidate)
        self._indexes = {
            resource_id: FilterIndex((candidate.filters, candidate) for candidate in group)
            for resource_id, group in by_resource.items()
        }
        # Webhooks that hear of any resource, under None; of those that do not, how many hear of each.
        self._webhooks = Counter[str | None](
            resource_id
            for bound_to in self.resources.values()
            for resource_id in ((None,) if None in bound_to else bound_to)
        )

    def webhooks_fitting(self, resource_id: str | None) -> int:
        """How many webhooks have a subscription that hears of this resource."""
        return self._webhooks[None] + (0 if resource_id is None else self._webhooks[resource_id])

    def find(self, event: Mapping[str, object]) -> _Found:
        subject = Subject(event)
        resource_id = event.get("resource_id")
        found = _Found(None if resource_id is None else str(resource_id))
        for fitting in {None, found.resource_id}:
            index = self._indexes.get(fitting)
            if index is not None:
                for candidates in index.candidates(subject):
                    _ask(candidates, subject, found)
        found.invalid -= found.wanting
        return found


def _ask(candidates: list[_Candidate], subject: Subject, found: _Found) -> None:
    for candidate in candidates:
        try:
            if candidate.wants(subject):
                found.wanting.add(candidate.webhook_id)
        except InvalidFilter:
            found.invalid.add(candidate.webhook_id)


def _reason(resources: "set[str | None] | None", webhook_id: str, found: _Found) -> str:
    if resources is None:
        return NOT_SUBSCRIBED
    if webhook_id in found.invalid:
        return INVALID_FILTER
    return FILTERED if None in resources or found.resource_id in resources else RESOURCE_MISMATCH
