"""What travels on our queues, each with its own type.

A delivery message's body is exactly what the receiver gets; all else rides in one attribute, so that the sender never
parses the body. SQS limits: 10 entries and 1 MiB a batch, MessageGroupId 128 ASCII characters
(Amazon SQS Developer Guide, "Amazon SQS message quotas").
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, cast

from webhooks.errors import PoisonMessage
from webhooks.ids import is_id
from webhooks.models.delivery import DeliveryRecord

META_ATTRIBUTE = "meta"
HANDED_BACK_ATTRIBUTE = "handed_back"
FIRST_SENT_ATTRIBUTE = "first_sent_at_ms"
MAX_TEXT = 1_000  # all of them become parts of keys, which have at most 2 KB, or of an item
M = TypeVar("M")
_KEYS = frozenset("dwestogcbrxhpk")


@dataclass(frozen=True, slots=True)
class DeliveryMessage:
    """One live message of a delivery. `group` is the hash of the webhook's owner, for SQS fair queues.

    `reserved`: release has already taken this message's place in the webhook's rate.
    `reason` is set on the dead-letter queue only: why the delivery was given up. `handed_back`: how often a
    copy has taken its place because we could not begin with it. `trace`: the event's, for the receiver.
    `static_egress` says which queue it is sent to, and does not travel: the webhook decides, as it is then.
    `keeping`: the mark of how its payload is kept.
    """

    delivery_id: str
    webhook_id: str
    event_id: str
    event_type: str
    scope: str
    group: str
    body: str
    generation: int = 1
    cycle_started_at_ms: int = 0
    attempts_before_cycle: int = 0
    reserved: bool = False
    reason: str | None = None
    handed_back: int = 0
    trace: str = ""
    static_egress: bool = field(default=False, compare=False)
    keeping: str = ""
    more: Mapping[str, Any] | None = None  # what a newer version has added: it goes on with copies of the message

    def meta(self) -> str:
        """Everything but the body, compact."""
        meta: dict[str, object] = {
            "d": self.delivery_id,
            "w": self.webhook_id,
            "e": self.event_id,
            "t": self.event_type,
            "s": self.scope,
            "o": self.group,
            "g": self.generation,
            "c": self.cycle_started_at_ms,
        }
        if self.attempts_before_cycle:
            meta["b"] = self.attempts_before_cycle
        if self.reserved:
            meta["r"] = 1
        if self.reason is not None:
            meta["x"] = self.reason
        if self.handed_back:
            meta["h"] = self.handed_back
        if self.trace:
            meta["p"] = self.trace
        if self.keeping:
            meta["k"] = self.keeping
        if self.more:
            meta |= self.more
        return json.dumps(meta, separators=(",", ":"))

    @classmethod
    def parse(cls, body: str, meta: str | None) -> "DeliveryMessage":
        """Raises PoisonMessage when the attribute is missing or damaged."""
        if meta is None:
            raise PoisonMessage(f"the message has no attribute {META_ATTRIBUTE!r}")
        try:
            parsed = cast("dict[str, Any]", json.loads(meta))
            message = cls(
                delivery_id=_text(parsed, "d"),
                webhook_id=_text(parsed, "w"),
                event_id=_text(parsed, "e"),
                event_type=_text(parsed, "t"),
                scope=_text(parsed, "s"),
                group=_text(parsed, "o"),
                body=body,
                generation=_count(parsed["g"]),
                cycle_started_at_ms=_count(parsed["c"]),
                attempts_before_cycle=_count(parsed.get("b", 0)),
                reserved=bool(parsed.get("r")),
                reason=_text(parsed, "x") if "x" in parsed else None,
                handed_back=_count(parsed.get("h", 0)),
                trace=_text(parsed, "p") if "p" in parsed else "",
                keeping=_text(parsed, "k") if "k" in parsed else "",
                more={key: parsed[key] for key in more} if (more := parsed.keys() - _KEYS) else None,
            )
            if not (is_id("dlv", message.delivery_id) and is_id("wh", message.webhook_id)):
                raise ValueError("'d' and 'w' must be ids of a delivery and a webhook")
            return message
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as exc:
            raise PoisonMessage(f"the attribute {META_ATTRIBUTE!r} is damaged: {exc!r}") from exc

    def given_up(self, reason: str) -> "DeliveryMessage":
        """The same message as it goes to the dead-letter queue."""
        return replace(self, reason=reason)


@dataclass(frozen=True, slots=True)
class Received(Generic[M]):
    """A message as SQS handed it over. `handed_back`: as a delivery message has it, where the message cannot say it.

    `sent_at_ms` of a copy is when the first of them was sent.
    """

    message: M
    message_id: str
    receipt_handle: str
    receive_count: int
    sent_at_ms: int
    group: str | None = None
    handed_back: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that is not ours, or is damaged; `record` is as Lambda got it from SQS."""

    record: Mapping[str, Any]
    reason: str

    @property
    def message_id(self) -> str:
        """Its SQS id."""
        return self.record["messageId"]

    @property
    def meta(self) -> str | None:
        """The attribute that should have told what it is."""
        return _meta(self.record)


def received_text(record: Mapping[str, Any]) -> Received[str]:
    """A record of Lambda's SQS event, its body unread."""
    attributes = record["attributes"]
    first_sent = _attribute(record, FIRST_SENT_ATTRIBUTE) or ""
    return Received(
        message=record["body"],
        message_id=record["messageId"],
        receipt_handle=record["receiptHandle"],
        receive_count=int(attributes["ApproximateReceiveCount"]),
        sent_at_ms=int(first_sent if first_sent.isdigit() else attributes["SentTimestamp"]),
        group=attributes.get("MessageGroupId"),
        handed_back=int(_attribute(record, HANDED_BACK_ATTRIBUTE) or 0),
    )


def received_deliveries(
    records: Sequence[Mapping[str, Any]],
) -> tuple[list[Received[DeliveryMessage]], list[Unreadable]]:
    """The delivery messages of Lambda's SQS event, and the messages that cannot be read."""
    readable: list[Received[DeliveryMessage]] = []
    unreadable: list[Unreadable] = []
    for record in records:
        text = received_text(record)
        try:
            message = DeliveryMessage.parse(text.message, _meta(record))
        except PoisonMessage as exc:
            unreadable.append(Unreadable(record, str(exc)))
            continue
        readable.append(Received(message, text.message_id, text.receipt_handle, text.receive_count, text.sent_at_ms))
    return readable, unreadable


def failures(message_ids: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """The answer that leaves these messages in the queue (AWS Lambda Developer Guide, "partial batch responses")."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in sorted(message_ids)]}


def message_of(record: DeliveryRecord, group: str, body: str, **changes: Any) -> DeliveryMessage:  # noqa: ANN401
    """The message that carries a stored delivery on; `changes` name what differs (generation, reserved, ...)."""
    message = DeliveryMessage(
        delivery_id=record.delivery_id,
        webhook_id=record.webhook_id,
        event_id=record.event_id,
        event_type=record.event_type,
        scope=record.scope,
        group=group,
        body=body,
        generation=record.generation,
        cycle_started_at_ms=record.cycle_started_at_ms,
        attempts_before_cycle=record.attempts_before_cycle,
        trace=record.trace,
        keeping=record.keeping,
    )
    return replace(message, **changes)


def group_of(owner: str) -> str:
    """The MessageGroupId of an owner: fair queues keep one tenant's backlog from delaying the others."""
    return hashlib.sha256(owner.encode()).hexdigest()[:32]


def _meta(record: Mapping[str, Any]) -> str | None:
    return _attribute(record, META_ATTRIBUTE)


def _attribute(record: Mapping[str, Any], name: str) -> str | None:
    attribute = record.get("messageAttributes", {}).get(name)
    return None if attribute is None else attribute.get("stringValue")


def _text(parsed: dict[str, Any], key: str) -> str:
    value = parsed[key]
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise ValueError(f"{key!r} must be a string of 1 to {MAX_TEXT} characters")
    return value


def _count(value: Any) -> int:  # noqa: ANN401 - as it was parsed
    number = int(value)
    if not 0 <= number < 2**53:
        raise ValueError(f"{number} must not be negative, and below 2^53")
    return number
