"""One message of a batch on its way through prepare, send and conclude, and what the batch comes to."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from webhooks.delivery.receive_decision import Decision
from webhooks.messages import DeliveryMessage, Received
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.webhook import Webhook

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Job:
    """`base` is the record as it is stored, or as a delivery begins (revision 0).

    `decision` is None until admission decides that nothing is to be sent, or the attempt has been made.
    """

    received: Received[DeliveryMessage]
    base: DeliveryRecord
    webhook: Webhook | None
    decision: Decision | None = None
    probe: bool = False

    @property
    def message(self) -> DeliveryMessage:
        """What was received."""
        return self.received.message


@dataclass(slots=True)
class SendReport:
    """The result of one batch. `again`: ids of messages that stay in the queue."""

    again: set[str] = field(default_factory=set[str])
    received: int = 0
    delivered: int = 0
    failed_attempts: int = 0
    given_up: int = 0
    parked: int = 0
    dropped: int = 0
    returned: int = 0  # through our own faults
    unknown: int = 0
    unreadable: int = 0  # their items, by this version
    untouched: list[Received[DeliveryMessage]] = field(default_factory=list[Received[DeliveryMessage]])
    doubtful: list[Received[DeliveryMessage]] = field(default_factory=list[Received[DeliveryMessage]])
    steps: list[str] = field(default_factory=list[str])  # "dlv_... evt_... outcome", for whoever follows a delivery

    def counts(self) -> dict[str, int]:
        """The numbers of it, by name."""
        numbers = {each.name: getattr(self, each.name) for each in fields(self) if each.type is int}
        return {"again": len(self.again), **numbers}

    def give_back(
        self, batch: Sequence[Received[DeliveryMessage]], cause: Exception, *, untouched: bool = False
    ) -> None:
        """These could not be handled, and it is not their endpoint's fault: they come again.

        `untouched`: certainly no request was made for them.
        """
        if batch:
            logger.warning("%d messages returned to the queue: %s", len(batch), cause)
        self.again.update(received.message_id for received in batch)
        self.returned += len(batch)
        (self.untouched if untouched else self.doubtful).extend(batch)
