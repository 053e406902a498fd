"""What should have happened, by a second, plain matcher; and what did, by the receivers' own logs.

Nothing of the service decides here. A webhook's interests and status are remembered with the moments they held, since
an event may be matched at any moment between its publishing and its recording.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.world import World
from tests.simulation.scenario import Interest
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.webhook import Webhook


@dataclass(frozen=True, slots=True)
class Held:
    """How a webhook was from a moment on."""

    from_ms: int
    status: str
    interests: tuple[Interest, ...]


@dataclass(slots=True)
class Known:
    """A webhook as the ledger knows it."""

    webhook: Webhook
    history: list[Held] = field(default_factory=list[Held])

    def between(self, start_ms: int, end_ms: int) -> list[Held]:
        """Every way that it was in this time."""
        before = [held for held in self.history if held.from_ms <= start_ms][-1:]
        return before + [held for held in self.history if start_ms < held.from_ms <= end_ms]

    def hears_of(self, document: Mapping[str, Any]) -> bool:
        """Whether the event is of its scope."""
        if self.webhook.workspace_id is not None:
            return str(document["workspace_id"]) == str(self.webhook.workspace_id)
        return str(document["user_id"]) == str(self.webhook.user_id)


@dataclass(slots=True)
class Verdict:
    """What a run came to. `faults` are broken promises: there may be none."""

    events: int = 0
    pairs: int = 0
    delivered: int = 0
    dead: int = 0
    requests: int = 0
    duplicates: int = 0
    unknown: int = 0
    faults: list[str] = field(default_factory=list[str])


class Ledger:
    """Everything published, every webhook, and the checks at the end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.published: dict[str, tuple[dict[str, Any], int]] = {}
        self.recorded_ms: dict[str, int] = {}
        self.webhooks: dict[str, Known] = {}

    def check(self, *, max_unknown: int) -> Verdict:
        """Hold the table, the queues and the receivers' logs against what should be."""
        verdict = Verdict(events=len(self.published))
        deliveries = {(r.event_id, r.webhook_id): r for r in self._world.deliveries() if r.event_id in self.published}
        queued = self._check_decisions(verdict)
        seen = self._seen(queued, verdict)
        letters = {letter.delivery_id: letter for letter in self._world.dead_letters()}
        for pair in sorted(queued):
            record = deliveries.get(pair)
            if record is None:
                verdict.faults.append(f"lost: {pair} was queued and has no delivery")
                continue
            verdict.pairs += 1
            self._check_attempts(record, seen[pair], verdict)
            if record.status == "delivered":
                verdict.delivered += 1
                if not any(each.succeeded for each in seen[pair]):
                    verdict.faults.append(f"{pair} is called delivered, and its receiver never took it")
            elif record.status in ("failed", "abandoned"):
                verdict.dead += 1
                letter = letters.get(record.delivery_id)
                if letter is None or not letter.failure_reason:
                    verdict.faults.append(f"lost: {pair} is {record.status} ({record.reason}) and no dead letter")
                elif letter.failure_reason != record.reason or letter.generation != record.generation:
                    verdict.faults.append(f"{pair}: the dead letter and the record disagree")
            else:
                verdict.faults.append(f"lost: {pair} is {record.status} and nothing is pending: {record}")
        for pair in deliveries.keys() - queued:
            verdict.faults.append(f"{pair} has a delivery and was never queued")
        verdict.unknown = sum(a.outcome == "unknown" for r in deliveries.values() for a in r.attempts)
        if verdict.unknown > max_unknown:
            verdict.faults.append(f"{verdict.unknown} unknown attempts, at most {max_unknown} can have been cut off")
        return verdict

    def _check_decisions(self, verdict: Verdict) -> set[tuple[str, str]]:
        recorded: dict[str, list[Any]] = defaultdict(list)
        for record in self._world.event_records():
            recorded[record.event_id].append(record)
        queued: set[tuple[str, str]] = set()
        for event_id, (document, published_ms) in self.published.items():
            if event_id not in recorded:
                verdict.faults.append(f"lost: {event_id} was accepted and never recorded")
                continue
            pages = recorded[event_id]
            went = {webhook_id for page in pages for webhook_id in page.queued}
            missed = dict(each for page in pages for each in page.missed)
            queued |= {(event_id, webhook_id) for webhook_id in went}
            for known in self.webhooks.values():
                webhook_id = known.webhook.webhook_id
                got = "queued" if webhook_id in went else missed.get(webhook_id, "not")
                could = self._could(known, document, published_ms, self.recorded_ms[event_id])
                if got not in could:
                    verdict.faults.append(f"{event_id} for {webhook_id}: decided {got}, expected {sorted(could)}")
        return queued

    def _could(self, known: Known, document: Mapping[str, Any], start_ms: int, end_ms: int) -> set[str]:
        outcomes: set[str] = set()
        states = known.between(start_ms, end_ms)
        if not states or states[0].from_ms > start_ms:
            outcomes.add("not")  # not registered yet
        for held in states:
            wanted = known.hears_of(document) and any(interest.wants(document) for interest in held.interests)
            if not wanted or held.status == "deleted":
                outcomes.add("not")
            else:
                outcomes.add("queued" if held.status in ("active", "paused") else held.status)
        return outcomes

    def _seen(self, queued: set[tuple[str, str]], verdict: Verdict) -> Mapping[tuple[str, str], Sequence[Any]]:
        seen: dict[tuple[str, str], list[Any]] = defaultdict(list)
        bodies = {record.event_id: record.body for record in self._world.event_records() if record.page == 0}
        for each in self._world.receivers.log:
            pair = each.event_id, each.webhook_id
            if each.event_id not in self.published:
                continue  # our own announcements
            verdict.requests += 1
            seen[pair].append(each)
            if pair not in queued:
                verdict.faults.append(f"{pair} was sent and never queued")
            if each.body != bodies.get(each.event_id) or json.loads(each.body)["id"] != each.event_id:
                verdict.faults.append(f"{pair} was sent with another body")
        successes = Counter(pair for pair, each in ((p, s) for p, all_ in seen.items() for s in all_) if each.succeeded)
        verdict.duplicates = sum(count - 1 for count in successes.values())
        return seen

    def _check_attempts(self, record: DeliveryRecord, seen: Sequence[Any], verdict: Verdict) -> None:
        if len(seen) > len(record.attempts):
            verdict.faults.append(
                f"{record.event_id} for {record.webhook_id}: the receiver saw {len(seen)} requests, "
                f"{len(record.attempts)} attempts are recorded"
            )
        if record.attempt_count > (asked := self._world.receivers.asked[record.delivery_id]):
            verdict.faults.append(
                f"{record.event_id} for {record.webhook_id}: {record.attempt_count} attempts count, {asked} were made"
            )
        taken = sum(each.succeeded for each in seen)
        noted = sum(attempt.outcome == "success" for attempt in record.attempts)
        if noted > taken:
            verdict.faults.append(f"{record.event_id} for {record.webhook_id}: more successes noted than there were")
