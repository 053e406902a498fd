"""/limits: what an owner may have, and how much of it is used."""

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from answers.limits import LimitsAnswer
from reading import caller_of
from webhooks.management.limits import WORKSPACES, Limits


def routes(limits: Limits) -> Router:
    """The router of this use case."""
    router = Router()

    @router.get(
        "/limits",
        summary="See what you may have, and how much of it is used",
        description=f"With the filters of the first {WORKSPACES} workspaces that your token names.",
        tags=["metrics"],
        operation_id="getLimits",
    )
    def get_limits(
        user_id: Annotated[str | None, Query(max_length=128, description="another owner's; for admins")] = None,
    ) -> LimitsAnswer:
        return LimitsAnswer.of(limits.look(caller_of(router, "webhooks:read"), user_id))

    return router
