"""Erasing what is kept of a tenant, or of one event."""

from typing import Annotated
from urllib.parse import quote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from answers.erasures import ErasureAnswer, ErasurePage
from paging import DEFAULT_LIMIT, Cursor, Limit, Pages
from reading import caller_of
from webhooks.management.cursors import Cursors
from webhooks.management.erasures import EventErasure, TenantErasures, tenant_of_scope

TAGS = ["erasure"]
JSON = "application/json"


def routes(tenants: TenantErasures, events: EventErasure, cursors: Cursors) -> Router:
    """The router of these use cases."""
    router = Router()

    @router.delete(
        "/tenants/<tenant_id>",
        status_code=202,
        summary="Erase all that is kept of a user or workspace",
        description=(
            "For the platform (scope `admin`). `tenant_id` is `user:<id>` or `workspace:<id>`. Webhooks, secrets, "
            "histories, events and figures of the time before the request go, in the background; what waits to be sent "
            "ends as `abandoned: erased`. Deliveries of a workspace's events to webhooks outside of it lose their "
            "payloads. Asked again while it is under way, it answers how far it has come. The tenant stays in the list "
            "of the erased, which a restored table is held against. docs/operations.md says what remains until when."
        ),
        tags=TAGS,
        operation_id="eraseTenant",
    )
    def erase_tenant(tenant_id: str) -> Response[ErasureAnswer]:
        erasure = tenants.start(caller_of(router, "admin"), _named(tenant_id))
        place = f"/api/v1/tenants/{quote(tenant_of_scope(erasure.scope), safe=':')}/erasure"
        return Response(202, JSON, ErasureAnswer.of(erasure), headers={"Location": place})

    @router.get(
        "/tenants/<tenant_id>/erasure",
        summary="How far a tenant's erasure has come",
        description="For the platform (scope `admin`): its status, and what was erased.",
        tags=TAGS,
        operation_id="getErasure",
    )
    def get_erasure(tenant_id: str) -> ErasureAnswer:
        caller_of(router, "admin")
        return ErasureAnswer.of(tenants.get(_named(tenant_id)))

    @router.get(
        "/erasures",
        summary="List the tenants that were erased",
        description="For the platform (scope `admin`), in the order of their ids.",
        tags=TAGS,
        operation_id="listErasures",
    )
    def list_erasures(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> ErasurePage:
        pages = Pages(cursors, caller_of(router, "admin"), "erasures")
        found = tenants.page(pages.position(cursor), limit)
        items = [ErasureAnswer.of(each) for each in found.items]
        return ErasurePage(items=items, next_cursor=pages.cursor(found.position))

    @router.delete(
        "/events/<event_id>",
        status_code=204,
        summary="Erase an event's payload, and keep its record",
        description=(
            "For admins, the platform (scope `events:write:any`), and users for events that they have published "
            "(`events:write`). Deliveries that wait end as `abandoned: erased`, dead letters and answers of receivers "
            "go, and nothing of it can be sent again. What became of the event stays to be seen. Repeating it does no "
            "harm."
        ),
        tags=["events"],
        operation_id="eraseEvent",
    )
    def erase_event(
        event_id: str,
        workspace_id: Annotated[
            str | None, Query(max_length=128, description="of the event, where several have this id")
        ] = None,
        user_id: Annotated[
            str | None, Query(max_length=128, description="the same for an event without a workspace")
        ] = None,
    ) -> Response[None]:
        events.erase(caller_of(router, "events:write", "admin"), event_id, user_id, workspace_id)
        return Response(204)

    return router


def _named(tenant_id: str) -> str:
    """Clients may encode the colon, and API Gateway hands on the path as it came."""
    return tenant_id.replace("%3A", ":", 1).replace("%3a", ":", 1)
