"""/egress-addresses: where deliveries come from, for the allow lists of receivers."""

from collections.abc import Sequence

from aws_lambda_powertools.event_handler.api_gateway import Router

from answers.egress_addresses import EgressAddresses
from reading import caller_of


def routes(addresses: Sequence[str] | None) -> Router:
    """The router; `addresses` is None where no webhook can have static ones."""
    router = Router()

    @router.get(
        "/egress-addresses",
        summary="Addresses that deliveries come from",
        tags=["webhooks"],
        description="For receivers' allow lists: requests to webhooks with `static_egress` come from these alone.",
        operation_id="getEgressAddresses",
    )
    def get_egress_addresses() -> EgressAddresses:
        caller_of(router, "webhooks:read")
        return EgressAddresses.of(addresses)

    return router
