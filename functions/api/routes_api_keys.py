"""/api-keys: credentials for machines, made and revoked by whoever they act for."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from answers.api_keys import ApiKeyAnswer, ApiKeyPage, NewApiKey
from paging import DEFAULT_LIMIT, Cursor, Limit, Pages
from reading import IdempotencyKey, caller_of, once_by
from webhooks.management.api_keys import ApiKeyManagement
from webhooks.management.cursors import Cursors
from webhooks.management.requests import ApiKeyRequest

TAGS = ["api-keys"]
WITH_TOKENS: list[dict[str, list[str]]] = [{"bearer": []}]  # a key makes no other, and revokes none


def routes(management: ApiKeyManagement, cursors: Cursors) -> Router:
    """The router of these use cases."""
    router = Router()

    @router.post(
        "/api-keys",
        summary="Make an API key",
        status_code=201,
        tags=TAGS,
        description=(
            "The answer shows the key, only this once. Send it as `Authorization: Bearer pyak_...`. It may do what "
            "`scopes` says, as you and in the workspaces named, and never more than the token that makes it. "
            "Takes a token with the scope `api-keys`."
        ),
        operation_id="createApiKey",
        security=WITH_TOKENS,
    )
    def create_api_key(
        request: Annotated[ApiKeyRequest, Body()], idempotency_key: IdempotencyKey = None
    ) -> Response[NewApiKey]:
        caller = caller_of(router, "api-keys")
        made, key = management.create(caller, request, once_by(idempotency_key, request, "api key"))
        return Response(201, "application/json", NewApiKey.of(made, key=key))

    @router.get(
        "/api-keys",
        summary="List API keys",
        tags=TAGS,
        description="Your own, newest first; for admins everybody's, or one user's with `user_id`.",
        operation_id="listApiKeys",
        security=WITH_TOKENS,
    )
    def list_api_keys(
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        user_id: Annotated[str | None, Query(max_length=128, description="one user's; for admins")] = None,
    ) -> ApiKeyPage:
        caller = caller_of(router, "api-keys")
        pages = Pages(cursors, caller, f"api-keys|{caller.is_admin}|{user_id}")
        page = management.page(caller, user_id, behind=pages.position(cursor), limit=limit)
        return ApiKeyPage(items=[ApiKeyAnswer.of(each) for each in page.items], next_cursor=pages.cursor(page.position))

    @router.delete(
        "/api-keys/<key_id>",
        summary="Revoke an API key",
        status_code=204,
        tags=TAGS,
        description="It is refused everywhere within five seconds.",
        operation_id="revokeApiKey",
        security=WITH_TOKENS,
    )
    def revoke_api_key(key_id: str) -> Response[None]:
        management.revoke(caller_of(router, "api-keys"), key_id)
        return Response(204)

    return router
