"""EventBridge at boto3's client interface: one bus, whose rule has the ingest queue as its target."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.fakes.aws_errors import client_error
from tests.fakes.clock import Clock
from tests.fakes.sqs import FakeSQS

MAX_ENTRY_BYTES = 256 * 1024  # Amazon EventBridge User Guide: the safe size of an entry


class FakeEventBridge:
    """What sources match goes to the queue, in EventBridge's envelope, without a MessageGroupId."""

    def __init__(self, clock: Clock, bus: str, sources: Sequence[str], sqs: FakeSQS, target_url: str) -> None:
        self._clock = clock
        self._bus = bus
        self._sources = sources
        self._sqs = sqs
        self._target_url = target_url
        self._ids = itertools.count(1)
        self.on_the_way: Callable[[Callable[[], None]], None] = lambda deliver: deliver()  # to the rule's target
        self.taken: list[Mapping[str, Any]] = []

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """At most 10 entries."""
        if not 1 <= len(Entries) <= 10:
            raise client_error("PutEvents", "ValidationException", "Entries has 1 to 10 members")
        answers = [self._put(entry) for entry in Entries]
        return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}

    def _put(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        if entry["EventBusName"] != self._bus:
            return {"ErrorCode": "ResourceNotFoundException", "ErrorMessage": "there is no such bus"}
        if len(entry["Detail"].encode()) > MAX_ENTRY_BYTES or not isinstance(json.loads(entry["Detail"]), dict):
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        event_id = f"{next(self._ids):08x}-eeee-4000-8000-000000000000"
        self.taken.append(entry)
        if entry["Source"] in self._sources:
            envelope = {
                "version": "0",
                "id": event_id,
                "detail-type": entry["DetailType"],
                "source": entry["Source"],
                "account": "123456789012",
                "time": datetime.fromtimestamp(self._clock.ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": "us-east-1",
                "resources": [],
                "detail": json.loads(entry["Detail"]),
            }
            entries = [{"Id": "0", "MessageBody": json.dumps(envelope)}]
            self.on_the_way(lambda: self._deliver(entries))
        return {"EventId": event_id}

    def _deliver(self, entries: Sequence[Mapping[str, Any]]) -> None:
        answer = self._sqs.send_message_batch(QueueUrl=self._target_url, Entries=entries)
        if "Failed" in answer:
            raise RuntimeError(f"the target's queue did not take {answer['Failed']}")
