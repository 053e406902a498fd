"""Portal links: a customer enters the dashboard by a link that the platform's backend made, and that works once."""

from typing import Annotated, cast
from urllib.parse import quote, urlencode

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from answers.portal_links import NewPortalLink, PortalSession
from reading import base_path, caller_of
from request_limits import origin_of
from webhooks.management.portal_links import PortalLinks
from webhooks.management.requests import Appearance, PortalLinkRequest, RedeemRequest

TAGS = ["portal"]


def routes(links: PortalLinks) -> Router:
    """The router of the platform's use cases."""
    router = Router()

    @router.post(
        "/portal-links",
        summary="Make a portal link",
        status_code=201,
        tags=TAGS,
        description=(
            "For the platform's backend (scope `portal-links`, in a token or an API key). Send the customer's "
            "browser to `url`, or embed it. It works once. Its session has the scopes and workspaces given here, and "
            "ends by itself. The secret part is behind the `#`, which browsers send to no server."
        ),
        operation_id="createPortalLink",
    )
    def create_portal_link(request: Annotated[PortalLinkRequest, Body()]) -> Response[NewPortalLink]:
        made, link = links.create(caller_of(router, "portal-links"), request)
        event = cast("APIGatewayProxyEvent", router.current_event)
        answer = NewPortalLink.of(made, link, f"{_dashboard(event)}{_appearance(request.appearance)}#link={link}")
        return Response(201, "application/json", answer)

    @router.delete(
        "/portal-links/<link_id>",
        summary="Revoke a portal link",
        status_code=204,
        tags=TAGS,
        description="It can no longer be redeemed, and its session is refused everywhere within five seconds.",
        operation_id="revokePortalLink",
    )
    def revoke_portal_link(link_id: str) -> Response[None]:
        links.revoke(caller_of(router, "portal-links"), link_id)
        return Response(204)

    return router


def public_routes(links: PortalLinks) -> Router:
    """The router of what a browser asks for that nobody knows yet."""
    router = Router()

    @router.post(
        "/portal-sessions",
        summary="Redeem a portal link",
        status_code=201,
        tags=TAGS,
        description=(
            "For the dashboard: the session that a link gives, once. A link that is made up, used, expired or revoked "
            "gets a 401 that does not say which it is."
        ),
        operation_id="redeemPortalLink",
    )
    def redeem_portal_link(request: Annotated[RedeemRequest, Body()]) -> Response[PortalSession]:
        session, token = links.redeem(request.link, origin_of(cast("APIGatewayProxyEvent", router.current_event)))
        return Response(201, "application/json", PortalSession.of(session, token))

    return router


def _dashboard(event: APIGatewayProxyEvent) -> str:
    """Its URL as the caller reached the API: with the stage, or below the base path of a domain of the platform's."""
    headers = event.headers
    host = headers.get("host") or event.raw_event["requestContext"].get("domainName", "")
    return f"{headers.get('x-forwarded-proto') or 'https'}://{host}{base_path(event)}/dashboard?portal"


def _appearance(appearance: Appearance) -> str:
    chosen = urlencode(appearance.model_dump(exclude_none=True), quote_via=quote)
    return f"&{chosen}" if chosen else ""
