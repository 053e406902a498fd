"""Counts duplicates that were suppressed, and events refused for an id that is taken."""

import logging
from typing import Literal

from webhooks.errors import Unavailable
from webhooks.store import schema
from webhooks.store.attributes import number
from webhooks.store.dynamo import DynamoTable, key_of

logger = logging.getLogger(__name__)


class Duplicates:
    """Writes only where there are some. It serves a metric, so its failure does not fail the batch."""

    def __init__(self, table: DynamoTable, shard: int) -> None:
        self._table = table
        self._key = (schema.COUNTERS_PK, schema.counter_sk(shard))

    def note(self, kind: Literal["event", "delivery", "conflict"], count: int) -> None:
        """Add to the count of a kind. A transaction, because the SDK may repeat it: its token makes that harmless."""
        if not count:
            return
        added = {
            "Key": key_of(self._key),
            "UpdateExpression": "ADD #c :n",
            "ExpressionAttributeNames": {"#c": f"{schema.COUNT_PREFIX}duplicates#{kind}"},
            "ExpressionAttributeValues": {":n": number(count)},
        }
        try:
            self._table.transact([{"Update": added}])
        except Unavailable as exc:
            logger.warning("%d suppressed duplicates are in no counter: %s", count, exc)
