"""The one read that a batch of deliveries starts with."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from webhooks.delivery.endpoint_state import DeliveryContext
from webhooks.messages import DeliveryMessage
from webhooks.models.webhook import Webhook
from webhooks.store.deliveries import DeliveryStore
from webhooks.store.delivery_items import delivery_key, delivery_of
from webhooks.store.details import attempt_details
from webhooks.store.dynamo import Item, Key
from webhooks.store.states import state_key, state_of
from webhooks.store.webhook_items import webhook_key, webhook_of

T = TypeVar("T")

logger = logging.getLogger(__name__)


class DeliveryContextStore(DeliveryStore):
    """Delivery records, and the webhooks and states around them."""

    def load(self, messages: Sequence[DeliveryMessage]) -> DeliveryContext:
        """Everything that a batch needs, consistently; a partition too busy to be read costs its own messages alone.

        Raises Unavailable.
        """
        return self._around([(message.webhook_id, message.delivery_id) for message in messages], set())

    def webhook(self, webhook_id: str) -> Webhook | None:
        """One webhook. Raises Unavailable."""
        return self.around([(webhook_id, None)]).webhooks.get(webhook_id)

    def around(self, ids: Iterable[tuple[str, str | None]]) -> DeliveryContext:
        """Webhooks, states and records for (webhook id, delivery id), or (webhook id, None) for a webhook alone."""
        return self._around(list(ids), None)

    def _around(self, pairs: Sequence[tuple[str, str | None]], skipped: set[Key] | None) -> DeliveryContext:
        webhook_ids = sorted({webhook_id for webhook_id, _ in pairs})
        deliveries = {d: delivery_key(w, d) for w, d in pairs if d is not None}
        found = self._table.get_many(
            [*map(webhook_key, webhook_ids), *map(state_key, webhook_ids), *deliveries.values()], unread=skipped
        )
        unreadable, unread = set[str](), set[str]()

        def read(owner: str, key: Key, decode: Callable[[Item], T]) -> Iterator[tuple[str, T]]:
            try:
                if key in found:
                    yield owner, decode(found[key])
                elif skipped and key in skipped:
                    unread.add(owner)
            except Exception:  # whatever a strange item brings out costs its own deliveries and no others
                logger.exception("item %s cannot be read", key)
                unreadable.add(owner)

        webhooks = dict(each for w in webhook_ids for each in read(w, webhook_key(w), webhook_of))
        states = dict(each for w in webhook_ids for each in read(w, state_key(w), state_of))
        records = dict(each for d, key in deliveries.items() for each in read(d, key, delivery_of))
        return DeliveryContext(
            webhooks,
            {w: states.get(w) or state_of(None) for w in webhook_ids},
            records,
            frozenset(unreadable),
            frozenset(unread),
        )

    def details(self, attempts: Sequence[tuple[str, str, int]]) -> dict[str, bytes]:
        """Packed details of attempts (webhook id, delivery id, start), keyed by delivery id; absent where none is kept.

        Raises Unavailable.
        """
        return attempt_details(self._table, attempts)
