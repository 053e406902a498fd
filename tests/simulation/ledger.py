"""What should have happened, by a second, plain matcher; and what did, by the receivers' own logs.

Nothing of the service decides here. A webhook's interests and status are remembered with the moments they held, since
an event may be matched at any moment between its publishing and its recording.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from tests.fakes.world import World
from tests.simulation import keeping
from tests.simulation.counted import Deaths, differences
from tests.simulation.forgotten import Forgotten
from tests.simulation.readable import canaries
from tests.simulation.scenario import MINUTE, Interest
from webhooks.ids import time_of
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.event import EventRecord
from webhooks.models.pull import PUSH_LAG_MS, SKEW_MS
from webhooks.models.webhook import Webhook

if TYPE_CHECKING:
    from tests.simulation.accounts import Account

Pair = tuple[str, str]  # event id, webhook id
INVOCATION_MS = MINUTE  # a sender may act on what it read so long ago
INDEX_MS = 2 * MINUTE  # what was recorded less than this before a recovery may not stand in the index yet


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
    subscriptions: dict[str, Interest] = field(default_factory=dict[str, Interest])

    @property
    def status(self) -> str:
        """As it is now."""
        return self.history[-1].status

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
    reads: int = 0
    faults: list[str] = field(default_factory=list[str])


def put_aside(world: World) -> Mapping[str, set[str]]:
    """By their ids, events in the dead-letter queue, each with the reason why it was refused."""
    dead = world.ingest_dead_letter_queue.messages.values()
    bodies = [each.body for each in dead if "reason" in each.attributes and each.body.startswith('{"token"')]
    aside: dict[str, set[str]] = defaultdict(set)
    for event in (each for body in bodies for each in json.loads(body).get("events", ())):
        aside[event["id"]].add(_told(event))
    return aside


class Ledger:
    """Everything published, every webhook, and the checks at the end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.published: dict[str, tuple[dict[str, Any], int]] = {}
        self.others: dict[str, list[str]] = defaultdict(list)  # events that were taken under the same id, by it
        self.recorded_ms: dict[str, int] = {}  # an event's last page
        self._pages: set[tuple[str, str]] = set()
        self.webhooks: dict[str, Known] = {}
        self.letters: dict[str, list[str]] = defaultdict(list)  # delivery ids by webhook, as they died
        self.deaths = Deaths()
        self.forgotten = Forgotten()
        self.accounts: dict[str, Account] = {}  # of consumers, by webhook
        self.recoveries: dict[str, tuple[str, int, int]] = {}  # job -> webhook, from when, asked for when
        self.excused: Counter[str] = Counter()  # requests of deliveries that two had in hand when one was cut off
        self._records = list[EventRecord]()  # all that are there in the end
        self._changes: dict[str, tuple[str | None, tuple[Interest, ...] | None]] = {}
        self._made_ms: dict[str, int] = {}
        self._static: dict[str, list[tuple[int, bool]]] = defaultdict(list)  # by webhook: from when on, or not
        self._failed_ms: dict[str, int] = {}
        self._recovered: dict[str, int] = {}  # webhook -> since when it has been asked for
        self._pulled = set[Pair]()  # recorded for reading
        self._listed_ms: dict[str, int] = {}  # when a delivery's record was first there

    # ---- what happens meanwhile

    def register(self, webhook: Webhook, status: str) -> None:
        """A webhook is there since it was first written."""
        webhook_id = webhook.webhook_id
        known = self.webhooks[webhook_id] = Known(webhook, [Held(self._made_ms[webhook_id], status, ())])
        if webhook_id in self._failed_ms:
            known.history.append(Held(self._failed_ms[webhook_id], "failed", ()))

    @contextmanager
    def changing(
        self, known: Known, *, status: str | None = None, interests: tuple[Interest, ...] | None = None
    ) -> Generator[None]:
        """Its owner asks for this; it holds from when it is written."""
        self._changes[known.webhook.webhook_id] = (status, interests)
        try:
            yield
        finally:
            del self._changes[known.webhook.webhook_id]

    def also(self, document: Mapping[str, Any]) -> None:
        """Another event was taken under the id of one that was published."""
        self.others[document["id"]].append(_told(document))

    def recovered(self, webhook_id: str, from_ms: int) -> None:
        """Its owner asks for what it missed since then."""
        self._recovered[webhook_id] = min(from_ms, self._recovered.get(webhook_id, from_ms))

    def note(self, key: tuple[str, str], item: Mapping[str, Any]) -> None:
        """An item was written: when did a decision fall, a change take effect, a delivery die?"""
        pk, sk = key
        if pk.startswith("event|"):
            if key not in self._pages:
                self._pages.add(key)
                self.recorded_ms[pk.removeprefix("event|")] = self._world.clock.ms
        elif sk == "webhook":
            self._static[pk].append((self._world.clock.ms, "static_egress" in item))
            self._note_webhook(pk, item["status"]["S"])
        elif sk.startswith("dlv#"):
            self._listed_ms.setdefault(sk.removeprefix("dlv#"), self._world.clock.ms)
        elif sk.startswith("dead#") and "generation" in item:
            self.letters[pk.partition("|")[0]].append(sk.removeprefix("dead#"))
            self.deaths.note(key, item)

    def _note_webhook(self, webhook_id: str, status: str) -> None:
        now_ms = self._world.clock.ms
        self._made_ms.setdefault(webhook_id, now_ms)
        known = self.webhooks.get(webhook_id)
        if known is None:
            if status == "failed":
                self._failed_ms.setdefault(webhook_id, now_ms)
            return
        last = known.history[-1]
        if status == "deleted" and webhook_id in self.forgotten.webhooks:
            known.history.append(Held(now_ms, "deleted", ()))
        elif status == "failed" and last.status != "failed":  # by the service itself
            known.history.append(Held(now_ms, "failed", last.interests))
        elif webhook_id in self._changes:
            wanted, interests = self._changes[webhook_id]
            known.history.append(
                Held(now_ms, wanted or last.status, last.interests if interests is None else interests)
            )

    # ---- the end

    def check(
        self, *, max_unknown: int, cut_off_of: Mapping[str, int] | None = None, jobs: Sequence[str] = ()
    ) -> Verdict:
        """Hold the table, the queues and the receivers' logs against what should be. `jobs` are complete.

        `cut_off_of`: how often a delivery was in hand when something went wrong: no more of its attempts can be
        unknown.
        """
        verdict = Verdict(events=len(self.published))
        everything = self._world.deliveries()
        self._records = self._world.event_records()
        if isinstance(self._world, World):  # the local stack's table and queues are not looked through
            left = list(canaries(self._world))
            verdict.faults += self.forgotten.faults(self._world, everything, self._records, left)
            verdict.faults += keeping.faults(self.published, everything, left)
        for event_id in self.forgotten.published:
            self.published.pop(event_id, None)
        kept = [record for record in everything if record.webhook_id not in self.forgotten.webhooks]
        deliveries = {(r.event_id, r.webhook_id): r for r in kept if r.event_id in self.published}
        queued = {pair for pair in self._check_decisions(verdict) if pair[1] not in self.forgotten.webhooks}
        read = {(event_id, webhook_id) for webhook_id in self._read_alone() for event_id in self._seen_by(webhook_id)}
        again = self._sent_again((deliveries.keys() - queued) | (read - self._pulled), jobs, verdict)
        self._check_reads(deliveries, self._pulled | again, verdict)
        queued |= {pair for pair in again if pair in deliveries}
        seen = self._seen(queued, verdict)
        letters = {letter.delivery_id: letter for letter in self._world.dead_letters()}
        for pair in sorted(queued):
            record = deliveries.get(pair)
            if record is None:
                verdict.faults.append(f"lost: {pair} was queued and has no delivery")
                continue
            verdict.pairs += 1
            self._check_attempts(record, seen[pair], verdict)
            unknown = sum(attempt.outcome == "unknown" for attempt in record.attempts)
            if cut_off_of is not None and unknown > cut_off_of.get(record.delivery_id, 0):
                at_most = cut_off_of.get(record.delivery_id, 0)
                verdict.faults.append(f"{pair}: {unknown} unknown attempts, at most {at_most} can have been cut off")
            if record.status == "delivered":
                verdict.delivered += 1
                if not any(each.succeeded for each in seen[pair]):
                    verdict.faults.append(f"{pair} is called delivered, and its receiver never took it")
            elif record.status in ("failed", "abandoned"):
                verdict.dead += 1
                letter = letters.get(record.delivery_id)
                if record.event_id in self.forgotten.events:
                    continue
                if letter is None or not letter.failure_reason:
                    verdict.faults.append(f"lost: {pair} is {record.status} ({record.reason}) and no dead letter")
                elif letter.failure_reason != record.reason or letter.generation != record.generation:
                    verdict.faults.append(f"{pair}: the dead letter and the record disagree")
                elif not keeping.is_all_of(self.published[record.event_id][0], letter.body):
                    verdict.faults.append(f"lost: the dead letter of {pair} has not what was to be sent")
            else:
                verdict.faults.append(f"lost: {pair} is {record.status} and nothing is pending: {record}")
        for pair in deliveries.keys() - queued:
            if pair[0] in self.forgotten.events:
                continue  # who missed it has a record, too, against a recovery that is under way
            verdict.faults.append(f"{pair} has a delivery and was never queued")
        self._check_announcements(verdict)
        self._check_statistics(kept, verdict)
        verdict.unknown = sum(a.outcome == "unknown" for r in deliveries.values() for a in r.attempts)
        if verdict.unknown > max_unknown:
            verdict.faults.append(f"{verdict.unknown} unknown attempts, at most {max_unknown} can have been cut off")
        return verdict

    def _read_alone(self) -> set[str]:
        return {webhook_id for webhook_id, known in self.webhooks.items() if known.webhook.kind == "pull"}

    def _seen_by(self, webhook_id: str) -> set[str]:
        account = self.accounts.get(webhook_id)
        return set() if account is None else account.seen & self.published.keys()

    def _check_reads(self, deliveries: Mapping[Pair, DeliveryRecord], pulled: Set[Pair], verdict: Verdict) -> None:
        """Each consumer was handed all that was recorded for it, in order, and nothing else. Of a webhook that is sent
        to, all whose record was there before a reader could pass its place.
        """
        for webhook_id, account in self.accounts.items():
            verdict.reads += account.reads
            verdict.faults += account.faults
            if webhook_id in self.forgotten.webhooks:
                continue
            if self.webhooks[webhook_id].webhook.kind == "pull":
                may = must = {event_id for event_id, each in pulled if each == webhook_id}
            else:
                mine = {pair[0]: record.delivery_id for pair, record in deliveries.items() if pair[1] == webhook_id}
                bound_ms = PUSH_LAG_MS - SKEW_MS
                must = {e for e, name in mine.items() if self._listed_ms[name] < time_of(name) + bound_ms}
                may = mine.keys()
            seen = self._seen_by(webhook_id)
            if not account.is_over:
                for event_id in sorted(must - seen - self.forgotten.events):
                    verdict.faults.append(f"lost: {account.name} never read {event_id}")
            for event_id in sorted(seen - may):
                verdict.faults.append(f"{account.name} read {event_id}, which was not recorded for it")
            for event_id in sorted(account.blank & self.published.keys() - self.forgotten.events):
                if self._is_whole(event_id):
                    verdict.faults.append(f"{account.name} read {event_id} without its body")

    def _check_announcements(self, verdict: Verdict) -> None:
        """Who is still there and was disabled by the service was told of it, and of what was given up."""
        told = {data["webhook_id"] for kind, data in self._world.announced() if kind == "webhook.disabled"}
        for webhook_id, known in self.webhooks.items():
            disabled = any(held.status == "failed" for held in known.history)
            if disabled and known.status != "deleted" and webhook_id not in told:
                verdict.faults.append(f"lost: {webhook_id} was disabled, and nobody was told")
        told = {data["delivery_id"] for kind, data in self._world.announced() if kind == "delivery.dead_lettered"}
        for letter in self._world.dead_letters():
            if letter.event_id in self.published and letter.delivery_id not in told:
                verdict.faults.append(f"lost: {letter.delivery_id} was given up, and nobody was told")

    def _check_statistics(self, deliveries: Sequence[DeliveryRecord], verdict: Verdict) -> None:
        verdict.faults += differences(self._world, self.deaths, deliveries, self.forgotten)

    def _sent_again(self, beyond: Set[Pair], jobs: Sequence[str], verdict: Verdict) -> set[Pair]:
        """Pairs that were missed at first, and recovered: those that may have been, and those that must. What is not
        kept as it was published is no recovery's.
        """
        may = {
            (event_id, webhook_id)
            for event_id, webhook_id in beyond
            if webhook_id in self._recovered
            and self.recorded_ms[event_id] >= self._recovered[webhook_id]
            and self._is_whole(event_id)
        }
        for job in jobs:
            if job not in self.recoveries:
                continue
            webhook_id, from_ms, asked_ms = self.recoveries[job]
            for event_id in self._missed_by(webhook_id):
                published_ms, recorded_ms = self.published[event_id][1], self.recorded_ms[event_id]
                due = published_ms >= from_ms and recorded_ms < asked_ms - INDEX_MS
                is_over = webhook_id in self._read_alone() and self.accounts[webhook_id].is_over
                if due and (event_id, webhook_id) not in may and not is_over:
                    verdict.faults.append(f"lost: {event_id} for {webhook_id} was missed, and not recovered")
        return may

    def _is_whole(self, event_id: str) -> bool:
        return event_id in self.published and keeping.is_whole(self.published[event_id][0])

    def _missed_by(self, webhook_id: str) -> Iterator[str]:
        for record in self._records:
            if record.event_id in self.forgotten.events:
                continue
            if self._is_whole(record.event_id) and any(missed == webhook_id for missed, _ in record.missed):
                yield record.event_id

    def _check_decisions(self, verdict: Verdict) -> set[Pair]:
        recorded: dict[str, list[Any]] = defaultdict(list)
        for record in self._records:
            recorded[record.event_id].append(record)
        queued: set[Pair] = set()
        aside, pages_aside = self._put_aside(), self._pages_put_aside()
        for event_id, (document, published_ms) in self.published.items():
            if event_id not in recorded:
                if event_id not in aside:
                    verdict.faults.append(f"lost: {event_id} was accepted and never recorded")
                continue
            pages = recorded[event_id]
            taken = {_told(json.loads(page.body)) for page in pages if page.page == 0 and page.body} | aside.get(
                event_id, set()
            )
            for told in (_told(document), *self.others[event_id]):
                # another event under the id of one that is not kept whole is taken for its repeat
                is_known = event_id not in self.forgotten.events and keeping.is_whole(document)
                if told not in taken and is_known:
                    verdict.faults.append(f"lost: {told} was accepted, and neither recorded nor put aside")
            went = {webhook_id for page in pages for webhook_id in page.queued}
            pulled = {webhook_id for page in pages for webhook_id in page.pulled}
            missed = dict(each for page in pages for each in page.missed)
            # nor does an event go on to further pages once its payload is erased
            goes_on = event_id not in pages_aside and event_id not in self.forgotten.events
            ends = None if goes_on else max(pages, key=attrgetter("page")).continues_after
            queued |= {(event_id, webhook_id) for webhook_id in went}
            self._pulled |= {(event_id, webhook_id) for webhook_id in pulled}
            for known in self.webhooks.values():
                webhook_id = known.webhook.webhook_id
                taken_by = pulled if known.webhook.kind == "pull" else went
                got = "queued" if webhook_id in taken_by else missed.get(webhook_id, "not")
                could = self._could(known, document, published_ms, self.recorded_ms[event_id])
                if ends and webhook_id > ends:
                    could.add("not")
                if got not in could:
                    verdict.faults.append(f"{event_id} for {webhook_id}: decided {got}, expected {sorted(could)}")
        return queued

    def _put_aside(self) -> Mapping[str, set[str]]:
        return put_aside(self._world)

    def _pages_put_aside(self) -> Set[str]:
        """The events of which an operator has a page that the table refused."""
        dead = self._world.ingest_dead_letter_queue.messages.values()
        bodies = [each.body for each in dead if "reason" in each.attributes and each.body.startswith('{"continue":{')]
        return {json.loads(body)["continue"].get("event_id", "") for body in bodies}

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

    def _seen(self, queued: set[Pair], verdict: Verdict) -> Mapping[Pair, Sequence[Any]]:
        seen: dict[Pair, list[Any]] = defaultdict(list)
        stored = [record for record in self._records if record.page == 0 and self._is_whole(record.event_id)]
        bodies = {record.event_id: record.body for record in stored}
        for each in self._world.receivers.log:
            pair = each.event_id, each.webhook_id
            if each.event_id not in self.published or each.webhook_id in self.forgotten.webhooks:
                continue  # our own announcements, and what is erased
            verdict.requests += 1
            seen[pair].append(each)
            if each.is_static not in self._senders(each.webhook_id, each.at_ms):
                sender = "static addresses" if each.is_static else "the ordinary sender"
                verdict.faults.append(f"{pair} was sent from {sender} at {each.at_ms}")
            if pair not in queued:
                verdict.faults.append(f"{pair} was sent and never queued")
            document = self.published[each.event_id][0]
            if not keeping.is_whole(document):  # then it need only be the same for all
                bodies.setdefault(each.event_id, each.body)
            is_same = each.event_id in self.forgotten.events or each.body == bodies.get(each.event_id)
            if not is_same or not keeping.is_all_of(document, each.body):
                verdict.faults.append(f"{pair} was sent with another body")
            if each.headers.get("traceparent") != document.get("traceparent"):
                verdict.faults.append(f"{pair} was sent with another trace")
        successes = Counter(pair for pair, each in ((p, s) for p, all_ in seen.items() for s in all_) if each.succeeded)
        verdict.duplicates = sum(count - 1 for count in successes.values())
        return seen

    def _senders(self, webhook_id: str, at_ms: int) -> set[bool]:
        """Whence a webhook may be sent to at this time: from static addresses (True), from others, or both.

        That it wants static ones holds at once, for whatever was queued before; that it does not is no hurry.
        """
        changes = self._static.get(webhook_id, [(0, False)])
        lately = [is_static for from_ms, is_static in changes if at_ms - INVOCATION_MS < from_ms <= at_ms]
        before = [is_static for from_ms, is_static in changes if from_ms <= at_ms - INVOCATION_MS]
        ever = {is_static for from_ms, is_static in changes if from_ms <= at_ms}
        return ({True} & ever) | ({False} & {*lately, *before[-1:]})

    def _check_attempts(self, record: DeliveryRecord, seen: Sequence[Any], verdict: Verdict) -> None:
        if len(seen) > len(record.attempts) + self.excused[record.delivery_id]:
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


def _told(document: Mapping[str, Any]) -> str:
    """What tells events of one id apart."""
    return f"{document['id']} {json.dumps(document.get('metadata') or {}, sort_keys=True)}"
