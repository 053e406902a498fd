"""The answer with the addresses that deliveries come from."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field

from answers.common import Answer

OFF = (
    "This deployment has no static addresses: deliveries come from addresses of AWS that change, and an allow list "
    "cannot name them. Verify the signature of each delivery instead."
)
ON = "Deliveries to webhooks with static_egress come from these addresses; all others from addresses that change."
UNNAMED = "Deliveries to webhooks with static_egress come from static addresses; whoever runs the service knows them."


class EgressAddresses(Answer):
    """What an allow list has to let in."""

    static_egress: Annotated[bool, Field(description="whether webhooks can have `static_egress` here")]
    addresses: Annotated[
        list[str], Field(description="addresses or networks; empty without static ones", examples=[["203.0.113.10"]])
    ]
    notice: Annotated[str, Field(description="what the list means, in a sentence")]

    @classmethod
    def of(cls, addresses: Sequence[str] | None) -> Self:
        """The answer for these; None: there are no static ones."""
        notice = OFF if addresses is None else ON if addresses else UNNAMED
        return cls(static_egress=addresses is not None, addresses=list(addresses or ()), notice=notice)
