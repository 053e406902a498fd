"""/audit: who did what, when, and from where."""

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from answers.audit import AuditEntryAnswer, AuditPage
from paging import DEFAULT_LIMIT, Cursor, Limit, Pages
from reading import caller_of
from time_range import Time, time_range
from webhooks.management.audit import AuditLog, Wanted
from webhooks.management.cursors import Cursors


def routes(audit: AuditLog, cursors: Cursors) -> Router:
    """The router of this use case."""
    router = Router()

    @router.get(
        "/audit",
        summary="See who changed, sent again or tested what",
        tags=["audit"],
        description=(
            "What was done to your webhooks, their subscriptions and deliveries, and to your API keys, newest first; "
            "for admins everybody's. Entries hold ids and names of fields, and never a value."
        ),
        operation_id="listAudit",
    )
    def list_audit(
        webhook_id: Annotated[str | None, Query(max_length=64, description="what was done to this one")] = None,
        action: Annotated[str | None, Query(max_length=64, description="such as webhook.updated")] = None,
        actor: Annotated[str | None, Query(max_length=128, description="by this user")] = None,
        api_key_id: Annotated[str | None, Query(max_length=64, description="with this key")] = None,
        user_id: Annotated[str | None, Query(max_length=128, description="one owner's; for admins")] = None,
        from_: Annotated[Time | None, Query(alias="from", description="RFC 3339: then or later")] = None,
        to: Annotated[Time | None, Query(alias="to", description="RFC 3339: by then")] = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> AuditPage:
        caller = caller_of(router, "webhooks:read")
        wanted = Wanted(webhook_id, action, actor, api_key_id)
        pages = Pages(cursors, caller, f"audit|{caller.is_admin}|{user_id}|{wanted}|{from_}|{to}")
        page = audit.page(caller, user_id, wanted, time_range(from_, to, pages.position(cursor)), limit)
        items = [AuditEntryAnswer.of(each, caller) for each in page.items]
        return AuditPage(items=items, next_cursor=pages.cursor(page.position))

    return router
