"""What must hold of all deliveries of a world at any moment, and when everything has come to rest."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable

from tests.fakes.world import MINUTE_MS, TABLE, World
from webhooks.ids import delivery_id
from webhooks.messages import META_ATTRIBUTE
from webhooks.models.delivery import DeliveryRecord
from webhooks.store.dead_letters import dead_key
from webhooks.store.delivery_items import delivery_of
from webhooks.store.events import event_of

FAR_MS = 400 * 86_400_000


class Inspection:
    """Looks at a world from outside, and remembers what it saw last."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.records: dict[str, DeliveryRecord] = {}
        self._queued: dict[tuple[str, str], list[tuple[str, str]]] = {}  # by an event's item: (delivery, webhook)

    def every_delivery_is_carried_on(self) -> None:
        """By a message, by release, by a dead letter; or it is delivered."""
        before, self.records = self.records, self._read()
        carriers = self._carriers()
        for delivery, webhook_id in self._pairs():
            record, generations = self.records.get(delivery), carriers[delivery]
            if record is None:
                assert generations or self._world.ingest_queue.messages, f"{delivery} was queued and is gone"
            else:
                assert self._is_carried(record, webhook_id, generations), f"nothing carries on: {record}"
        for delivery, was in before.items():
            now = self.records[delivery]
            assert now.attempts[: len(was.attempts)] == was.attempts, "an attempt was forgotten"
            assert now.generation >= was.generation, "an older generation came back"
            assert now.revision >= was.revision, "an older record came back"
            assert now.status == "delivered" or was.status != "delivered", "delivered was undone"

    def nothing_is_left_behind(self, events: Iterable[str], jobs: set[str]) -> None:
        """At rest, of the events that were published and the jobs that were accepted."""
        self.records = self._read()
        letters = {letter.delivery_id: letter for letter in self._world.dead_letters()}
        seen: dict[str, list[bool]] = defaultdict(list)
        for each in self._world.receivers.log:
            seen[each.delivery_id].append(each.succeeded)
        recorded = {record.event_id for record in self._world.event_records()}
        assert recorded >= set(events), "an event was never recorded"
        assert not jobs & set(self._world.unfinished_replays()), "a job never ends"
        for delivery, _ in self._pairs():
            record = self.records[delivery]
            assert len(seen[delivery]) <= len(record.attempts), f"more requests than attempts: {record}"
            noted = Counter(attempt.outcome for attempt in record.attempts)
            assert noted["success"] <= sum(seen[delivery]), f"a success that no receiver saw: {record}"
            if record.status == "delivered":
                assert any(seen[delivery]), f"no receiver took {record}"
            else:
                assert record.status in ("failed", "abandoned"), f"left behind: {record}"
                assert letters[delivery].failure_reason == record.reason
                assert letters[delivery].generation == record.generation

    def next_ms(self, webhook_ids: Iterable[str]) -> int:
        """When something is to be done next; for what waits outside SQS that is a run of release, once a minute."""
        world, now_ms = self._world, self._world.clock.ms
        queues = [source.queue for source in world.sources.values()]
        moments = [at_ms for queue in queues if (at_ms := world.sqs.next_visible_ms(queue)) is not None]
        waiting = [item["waiting"]["S"].split("|") for item in world.items("dlv#") if "waiting" in item]
        due = [int(at_ms) for kind, at_ms, *_ in waiting if kind == "due"]
        wakes = [world.state(webhook_id).wake_at_ms for webhook_id in webhook_ids]
        moments += [max(at_ms, now_ms + 2 * MINUTE_MS) - MINUTE_MS for at_ms in (*due, *wakes) if at_ms]
        return min(moments, default=now_ms + FAR_MS)

    def _read(self) -> dict[str, DeliveryRecord]:
        found: dict[str, DeliveryRecord] = {}
        for (_, sk), item in self._world.dynamodb.tables[TABLE].items.items():
            if sk.startswith("dlv#"):
                known = self.records.get(sk[4:])
                same = known is not None and str(known.revision) == item["revision"]["N"]
                found[sk[4:]] = known if known is not None and same else delivery_of(item)
        return dict(sorted(found.items()))

    def _pairs(self) -> Iterable[tuple[str, str]]:
        for key, item in self._world.dynamodb.tables[TABLE].items.items():
            if key[0].startswith("event|") and key not in self._queued:
                record = event_of(item)
                at = record.accepted_at_ms, record.scope, record.event_id
                self._queued[key] = [(delivery_id(*at, webhook_id), webhook_id) for webhook_id in record.queued]
        return [pair for pairs in self._queued.values() for pair in pairs]

    def _carriers(self) -> dict[str, set[int]]:
        """Generations of the messages that are under way, by delivery."""
        found: dict[str, set[int]] = defaultdict(set)
        for queue in (self._world.delivery_queue, self._world.dead_letter_queue):
            for message in self._world.messages(queue):
                meta = json.loads(message.attributes[META_ATTRIBUTE]["StringValue"])
                found[meta["d"]].add(meta["g"])
        return found

    def _is_carried(self, record: DeliveryRecord, webhook_id: str, generations: set[int]) -> bool:
        if record.status == "delivered" or any(each >= record.generation for each in generations):
            return True
        if record.status in ("failed", "abandoned"):
            letter = self._world.item(dead_key(webhook_id, record.delivery_id))
            return letter is not None and letter["generation"]["N"] == str(record.generation)
        if record.waiting is None:
            return False
        return record.waiting.kind == "due" or self._world.state(webhook_id).wake_at_ms is not None
