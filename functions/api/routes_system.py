"""/health, /ready and /openapi.json: for machines, without a caller."""

from collections.abc import Callable

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from answers.common import Health, Readiness
from webhooks.management.readiness import ReadinessProbe

TAGS = ["system"]


def routes(readiness: ReadinessProbe, document: Callable[[], str]) -> Router:
    """The router of these use cases. `document` is the OpenAPI document's text."""
    router = Router()

    @router.get(
        "/health",
        summary="Whether the API answers",
        tags=TAGS,
        description="Answered without asking anything else.",
        operation_id="health",
    )
    def health() -> Health:
        return Health()

    @router.get(
        "/ready",
        summary="Whether everything that the service stands on answers",
        tags=TAGS,
        description="Asks the table, the queues and the data key.",
        operation_id="ready",
    )
    def ready() -> Response[Readiness]:
        report = readiness.report()
        failed = any(answer != "ok" for answer in report.values())
        answer = Readiness(status="unavailable" if failed else "ok", checks=report)
        return Response(503 if failed else 200, "application/json", answer, headers={"Cache-Control": "no-store"})

    @router.get("/openapi.json", summary="This description", tags=TAGS, include_in_schema=False)
    def openapi() -> Response[str]:
        return Response(200, "application/json", document(), headers={"Cache-Control": "public, max-age=300"})

    return router
