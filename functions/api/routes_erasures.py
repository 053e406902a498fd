"""Erasing what is kept of a tenant."""

from urllib.parse import quote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from answers.erasures import ErasureAnswer, ErasurePage
from paging import DEFAULT_LIMIT, Cursor, Limit, Pages
from reading import caller_of
from webhooks.management.cursors import Cursors
from webhooks.management.erasures import TenantErasures, tenant_of_scope

TAGS = ["erasure"]
JSON = "application/json"


def routes(tenants: TenantErasures, cursors: Cursors) -> Router:
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
            "payloads. Repeated while it is under way, it answers with its progress. The tenant stays in the list of "
            "erased tenants, so that it can be erased from a restored table as well. docs/operations.md says what "
            "remains, and until when."
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
        summary="Show how far a tenant's erasure has come",
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

    return router


def _named(tenant_id: str) -> str:
    """Clients may encode the colon, and API Gateway hands on the path as it came."""
    return tenant_id.replace("%3A", ":", 1).replace("%3a", ":", 1)
