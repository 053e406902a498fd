"""/metrics for Prometheus; a webhook's own figures and health, and the overview of all."""

from typing import TYPE_CHECKING, Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from answers.metrics import MetricsAnswer, WebhookHealthAnswer
from answers.overview import OverviewAnswer
from answers.tenants import TenantsAnswer
from reading import caller_of
from time_range import time_range
from webhooks.management.overview import Overviews
from webhooks.management.paging import EXAMINED
from webhooks.management.tenants import MOST_OWNERS, TenantOverviews
from webhooks.management.webhook_metrics import Interval, WebhookMetrics

if TYPE_CHECKING:
    from webhooks.statistics.prometheus import ServiceMetrics

TAGS = ["metrics"]
From = Annotated[str | None, Query(alias="from", max_length=64, description="RFC 3339; 24 hours before `to` if absent")]
To = Annotated[str | None, Query(alias="to", max_length=64, description="RFC 3339; the present if absent")]


def routes(metrics: WebhookMetrics, overviews: Overviews, tenants: TenantOverviews) -> Router:
    """The router of webhooks' figures."""
    router = Router()

    @router.get(
        "/overview",
        summary="See how all webhooks do, at one look",
        tags=TAGS,
        description="Sums of all your webhooks, and those that need attention first.",
        operation_id="getOverview",
    )
    def get_overview(
        from_: From = None,
        to: To = None,
        interval: Annotated[Interval, Query()] = "hour",
        user_id: Annotated[str | None, Query(max_length=128, description="another owner's; for admins")] = None,
    ) -> OverviewAnswer:
        caller = caller_of(router, "webhooks:read")
        asked = time_range(from_, to, None)
        return OverviewAnswer.of_overview(overviews.look(caller, user_id, asked.from_ms, asked.to_ms, interval))

    @router.get(
        "/tenants",
        summary="See who is in trouble and who causes it; for admins",
        description=(
            "Owners with the most failures first, and everybody's webhooks that do not do well. Of the owners of the "
            f"newest {EXAMINED:,} webhooks at most {MOST_OWNERS}: two queries each."
        ),
        tags=TAGS,
        operation_id="getTenants",
    )
    def get_tenants(from_: From = None, to: To = None) -> TenantsAnswer:
        caller = caller_of(router, "webhooks:read")
        asked = time_range(from_, to, None)
        return TenantsAnswer.of_view(tenants.look(caller, asked.from_ms, asked.to_ms))

    @router.get(
        "/webhooks/<webhook_id>/metrics",
        summary="Get a webhook's figures over a time",
        tags=TAGS,
        description="Deliveries, attempts, latency and error codes by hour or day.",
        operation_id="getWebhookMetrics",
    )
    def get_metrics(
        webhook_id: str, from_: From = None, to: To = None, interval: Annotated[Interval, Query()] = "hour"
    ) -> MetricsAnswer:
        caller = caller_of(router, "webhooks:read")
        asked = time_range(from_, to, None)
        figures = metrics.metrics(caller, webhook_id, asked.from_ms, asked.to_ms, interval)
        return MetricsAnswer.of(figures, webhook_id=webhook_id)

    @router.get(
        "/webhooks/<webhook_id>/health",
        summary="Get a webhook's health and the reason",
        tags=TAGS,
        description="Judged by the attempts of the last two hours, the circuit and what waits.",
        operation_id="getWebhookHealth",
    )
    def get_health(webhook_id: str) -> WebhookHealthAnswer:
        return WebhookHealthAnswer.of(metrics.health(caller_of(router, "webhooks:read"), webhook_id))

    return router


def service_routes(metrics: "ServiceMetrics") -> Router:
    """The router of what Prometheus scrapes."""
    router = Router()

    @router.get(
        "/metrics",
        summary="The whole service's counters in Prometheus' format; takes the scope metrics:read",
        tags=TAGS,
        description="Sums of all tenants, the ages of the queues, and the circuits that are open.",
        operation_id="scrapeMetrics",
        enable_validation=False,
    )
    def scrape() -> Response[str]:
        from webhooks.statistics.prometheus import CONTENT_TYPE

        caller_of(router, "metrics:read")
        return Response(200, CONTENT_TYPE, metrics.exposition(), headers={"Cache-Control": "no-store"})

    return router
