"""What is noted beside an event when its id, or its idempotency key, is given again."""

import json
import logging
from collections.abc import Sequence

from webhooks.errors import Unavailable
from webhooks.models.event import Repeat
from webhooks.store import schema
from webhooks.store.attributes import number, read_int, read_text, text
from webhooks.store.dynamo import DynamoTable, Item, Statement, read_all, unexpired

_SAME = "="  # sort key of the same event again; another one's begins with its fingerprint
_OTHERS = 1  # characters of it: so a flood of other events leaves 64 items, and a repeated one a single item

logger = logging.getLogger(__name__)


class RepeatStore:
    """The first of each kind is kept, until the event's retention is over. What is noted here tells people alone, so
    its failure fails nothing."""

    def __init__(self, table: DynamoTable, retention_ms: int) -> None:
        self._table = table
        self._retention_ms = retention_ms

    def note(self, repeats: Sequence[Repeat]) -> None:
        """Keep them, where none of their kind is kept."""
        try:
            if repeats:
                self._table.execute([self._insertion(each) for each in repeats])
        except Unavailable as exc:
            logger.warning("%d repeats of events are not shown with them: %s", len(repeats), exc)

    def of(self, event_id: str, scope: str, now_ms: int) -> list[Repeat]:
        """What is noted of an event, the first first. Raises Unavailable."""
        items = self._table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :scope)",
            ExpressionAttributeValues={":pk": text(schema.repeat_pk(event_id)), ":scope": text(f"{scope}|")},
        )
        return sorted(read_all(unexpired(items, now_ms), _repeat_of), key=lambda each: each.at_ms)

    def _insertion(self, repeat: Repeat) -> Statement:
        kind = repeat.fingerprint[:_OTHERS] if repeat.differs else _SAME
        item: Item = {
            schema.PK: text(schema.repeat_pk(repeat.event_id)),
            schema.SK: text(f"{repeat.scope}|{kind}"),
            "scope": text(repeat.scope),
            "fp": text(repeat.fingerprint),
            "at": number(repeat.at_ms),
            schema.EXPIRES_AT: number((repeat.at_ms + self._retention_ms) // 1000),
        }
        if repeat.differs:
            item["differs"] = text(json.dumps(repeat.differs))
        fields = ", ".join(f"'{name}': ?" for name in item)
        return Statement(
            f'INSERT INTO "{self._table.name}" VALUE {{{fields}}}',
            tuple(item.values()),
            (item[schema.PK]["S"], item[schema.SK]["S"]),
        )


def _repeat_of(item: Item) -> Repeat:
    return Repeat(
        event_id=item[schema.PK]["S"].partition("|")[2],
        scope=item["scope"]["S"],
        fingerprint=read_text(item, "fp") or "",
        at_ms=read_int(item, "at"),
        differs=tuple(json.loads(read_text(item, "differs") or "[]")),
    )
