"""Lambda's event source mappings for SQS: several processes a function, which take batches when there are any."""

import json
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tests.fakes.event_source import EventSource
from tests.fakes.functions import PROCESSES, Handler, Services
from tests.fakes.sqs import FakeQueue, FakeSQS, Message
from tests.simulation.engine import Engine
from tests.simulation.ledger import Ledger
from webhooks.errors import PoisonMessage
from webhooks.messages import META_ATTRIBUTE, DeliveryMessage

if TYPE_CHECKING:
    from tests.simulation.scheduler import Fiber

HAZARD_RATE = 0.003
_FUNCTIONS = {"dead_letter_writer": "replay", "jobs": "replay"}
_SAME = {"static_sender": "sender"}  # what can go wrong around it goes wrong around the other


class Idle:
    """The processes that wait for messages of one queue. The first of them is woken when one becomes visible."""

    def __init__(self, engine: Engine, sqs: FakeSQS, queue: FakeQueue) -> None:
        self._engine = engine
        self._sqs = sqs
        self._queue = queue
        self._parked: list[Fiber] = []
        self._wake_ms = sys.maxsize
        queue.on_visible = self._notice

    def wait(self) -> None:
        """Called by a fiber: until there may be something."""
        fiber = self._engine.scheduler.current
        if fiber is None:
            raise RuntimeError("outside of any fiber")
        self._parked.append(fiber)
        if self._wake_ms == sys.maxsize:
            self.hand_on()
        self._engine.scheduler.park()
        self._parked.remove(fiber)
        self._wake_ms = sys.maxsize

    def hand_on(self) -> None:
        """Have the next one look when something is visible."""
        self._wake_ms = sys.maxsize
        if self._parked and (at_ms := self._sqs.next_visible_ms(self._queue)) is not None:
            self._notice(at_ms)

    def _notice(self, at_ms: int) -> None:
        if self._parked and at_ms < self._wake_ms:
            self._wake_ms = at_ms + self._engine.rng.randrange(1, 50)
            self._engine.scheduler.wake(self._parked[0], self._wake_ms)


class Workers:
    """All processes of one mapping."""

    def __init__(
        self, engine: Engine, services: Services, sqs: FakeSQS, ledger: Ledger, name: str, source: EventSource
    ) -> None:
        self._engine = engine
        self._services = services
        self._sqs = sqs
        self._ledger = ledger
        self._name = _SAME.get(name, name)
        self._function = _FUNCTIONS.get(name, name)
        self._source = source
        self._idle = Idle(engine, sqs, source.queue)
        self._narrow_until_ms = 0
        self._doubled: set[str] = set()  # messages that two have in hand

    def work(self) -> None:
        """One process after the other in one execution environment, batch after batch."""
        handler: Handler | None = None
        while True:
            batch = self._take()
            if not batch:
                self._idle.wait()
                continue
            self._idle.hand_on()
            if self._engine.hits("recycled", self._name, HAZARD_RATE):
                handler = None
            handler = handler or self._start()
            if not self._handle(handler, batch):
                handler = None

    def _start(self) -> Handler:
        services = self._engine.services_for(self._services, self._name)
        return PROCESSES[self._function](services)

    def _take(self) -> list[Message]:
        queue = self._source.queue
        if self._engine.hits("in_flight_limit", self._name, HAZARD_RATE / 4):
            queue.max_in_flight = queue.in_flight
            self._narrow_until_ms = self._engine.clock.ms + self._engine.rng.randrange(1_000, 300_000)
        if self._engine.clock.ms >= self._narrow_until_ms:
            queue.max_in_flight = 120_000
        try:
            if self._engine.hits("unreadable_message", self._name, HAZARD_RATE / 4):
                self._sqs.send_message_batch(QueueUrl=queue.url, Entries=[self._unreadable()])
            batch = self._source.take()
        except ClientError:  # OverLimit: the poller tries again
            self._engine.scheduler.sleep_ms(self._engine.rng.randrange(500, 5_000))
            return self._take()
        if batch and self._engine.hits("redriven", self._name, HAZARD_RATE / 2):
            self._note(batch)
            for message in batch:  # the dead letter notes one attempt of unknown outcome for all receives
                for delivery_id in self._deliveries([message]):
                    self._ledger.excused[delivery_id] += message.receive_count - 1
            self._sqs.redrive(queue, batch)
            return self._take()
        if batch and self._engine.hits("shown_twice", self._name, HAZARD_RATE):
            self._show_soon(batch[:1], 5_000)
        if batch and self._engine.hits("visibility_ran_out", self._name, HAZARD_RATE):
            self._show_soon(batch, 40_000)
        return batch

    def _unreadable(self) -> dict[str, Any]:
        rng = self._engine.rng
        entry: dict[str, Any] = {"Id": "0", "MessageBody": rng.choice(["{", "[]", '{"token": 5}', "x" * 3_000])}
        if rng.random() < 0.5:
            spoilt = rng.choice(["!", "1" * 3_000, ""])
            meta = {"d": f"dlv_{'1' * 26}{spoilt}", "w": "wh_1", "e": "e", "t": "t", "s": "s", "o": "o", "g": 1, "c": 1}
            entry["MessageAttributes"] = {META_ATTRIBUTE: {"DataType": "String", "StringValue": json.dumps(meta)}}
        return entry

    def _show_soon(self, batch: list[Message], within_ms: int) -> None:
        self._sqs.show_soon(self._source.queue, batch, self._engine.rng.randrange(1, within_ms))
        self._doubled.update(message.message_id for message in batch)
        self._engine.cut_off_of.update(self._deliveries(batch))

    def _note(self, batch: list[Message]) -> None:
        """All of it was in hand when something went wrong around it."""
        self._engine.cut_off += len(batch)
        self._engine.cut_off_of.update(self._deliveries(batch))

    def _handle(self, handler: Handler, batch: list[Message]) -> bool:
        engine, name = self._engine, self._name
        if engine.hits("throttled_poller", name, HAZARD_RATE):
            self._note(batch)  # received, and nobody was there
            return True
        if engine.hits("invoked_twice", name, HAZARD_RATE):
            self._note(batch)
            self._doubled.update(message.message_id for message in batch)
            other, same = self._start(), [replace(message) for message in batch]
            engine.scheduler.spawn(f"{name} again", lambda: self._invoke(other, same))
        return self._invoke(handler, batch)

    def _invoke(self, handler: Handler, batch: list[Message]) -> bool:
        one = replace(self._source, handler=handler)
        handles = {message.message_id: str(message.handle) for message in batch}
        before = self._engine.figures.struck.total()
        alive = self._engine.alive(self._name, lambda: self._hand_over(one, batch, handles), len(batch))
        if self._engine.figures.struck.total() != before:
            self._engine.cut_off_of.update(self._deliveries(batch))
            # one was cut off after its request, the other took the message away: nobody can know of that request
            self._ledger.excused.update(self._deliveries([m for m in batch if m.message_id in self._doubled]))
        return alive

    def _deliveries(self, batch: list[Message]) -> list[str]:
        metas = [(m.body, m.attributes.get(META_ATTRIBUTE)) for m in batch if self._name == "sender"]
        found: list[str] = []
        for body, meta in metas:
            with suppress(PoisonMessage):
                found.append(DeliveryMessage.parse(body, meta and meta["StringValue"]).delivery_id)
        return found

    def _hand_over(self, source: EventSource, batch: list[Message], handles: dict[str, str]) -> None:
        engine, name = self._engine, self._name
        answer = source.handler(source.event(batch))
        if engine.hits("batch_answer_lost", name, HAZARD_RATE):
            self._note(batch)
            return
        if engine.hits("partly_deleted", name, HAZARD_RATE):
            self._note(batch)
            handles = dict(list(handles.items())[::2])
            failed = [each for each in answer.get("batchItemFailures", ()) if each["itemIdentifier"] in handles]
            answer = {"batchItemFailures": failed}
        source.conclude(handles, answer)
