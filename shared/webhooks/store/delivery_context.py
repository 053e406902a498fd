"""The one read that a batch of deliveries starts with."""

from collections.abc import Iterable, Sequence

from webhooks.delivery.endpoint_state import DeliveryContext
from webhooks.messages import DeliveryMessage
from webhooks.models.webhook import Webhook
from webhooks.store.deliveries import DeliveryStore
from webhooks.store.delivery_items import delivery_key, delivery_of
from webhooks.store.details import attempt_details
from webhooks.store.states import state_key, state_of
from webhooks.store.webhook_items import webhook_key, webhook_of


class DeliveryContextStore(DeliveryStore):
    """Delivery records, and the webhooks and states around them."""

    def load(self, messages: Sequence[DeliveryMessage]) -> DeliveryContext:
        """Everything that a batch needs, consistently. Raises Unavailable."""
        return self.around((message.webhook_id, message.delivery_id) for message in messages)

    def webhook(self, webhook_id: str) -> Webhook | None:
        """One webhook. Raises Unavailable."""
        return self.around([(webhook_id, None)]).webhooks.get(webhook_id)

    def around(self, ids: Iterable[tuple[str, str | None]]) -> DeliveryContext:
        """The same for (webhook id, delivery id), or (webhook id, None) for a webhook alone."""
        pairs = list(ids)
        webhook_ids = sorted({webhook_id for webhook_id, _ in pairs})
        deliveries = {d: delivery_key(w, d) for w, d in pairs if d is not None}
        found = self._table.get_many(
            [*map(webhook_key, webhook_ids), *map(state_key, webhook_ids), *deliveries.values()]
        )
        return DeliveryContext(
            webhooks={w: webhook_of(found[webhook_key(w)]) for w in webhook_ids if webhook_key(w) in found},
            states={w: state_of(found.get(state_key(w))) for w in webhook_ids},
            records={d: delivery_of(found[key]) for d, key in deliveries.items() if key in found},
        )

    def details(self, attempts: Sequence[tuple[str, str, int]]) -> dict[str, bytes]:
        """Packed details of attempts (webhook id, delivery id, start), keyed by delivery id; absent where none is kept.

        Raises Unavailable.
        """
        return attempt_details(self._table, attempts)
