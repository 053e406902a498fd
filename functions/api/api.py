"""The API put together: routers, errors, CORS, and its own description."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.event_handler.api_gateway import ResponseBuilder, Route
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

import problems
import routes_api_keys
import routes_audit
import routes_dead_letters
import routes_deliveries
import routes_delivery_search
import routes_egress_addresses
import routes_erasures
import routes_event_history
import routes_event_search
import routes_events
import routes_filters
import routes_limits
import routes_members
import routes_metrics
import routes_portal_links
import routes_problems
import routes_pull
import routes_recovery
import routes_replays
import routes_signing_keys
import routes_subscriptions
import routes_system
import routes_webhooks
from reading import StrictRequests, base_path, below_base_path
from request_limits import RequestLimiter, caller_in
from webhooks.errors import TooManyRequests, WebhooksError
from webhooks.events.publishing import Publishing
from webhooks.management.api_keys import ApiKeyManagement
from webhooks.management.audit import AuditLog
from webhooks.management.bulk_replays import BulkReplays
from webhooks.management.cursors import Cursors
from webhooks.management.dead_letters import DeadLetterManagement
from webhooks.management.deliveries import DeliveryHistory
from webhooks.management.delivery_search import DeliverySearch
from webhooks.management.erasures import EventErasure, TenantErasures
from webhooks.management.event_search import EventSearch
from webhooks.management.events import EventHistory
from webhooks.management.failure_groups import FailureGroups
from webhooks.management.filter_tests import FilterTests
from webhooks.management.limits import Limits
from webhooks.management.members import Members
from webhooks.management.overview import Overviews
from webhooks.management.portal_links import PortalLinks
from webhooks.management.pulling import Pulling
from webhooks.management.readiness import ReadinessProbe
from webhooks.management.recovery import Recovery
from webhooks.management.replays import Replays
from webhooks.management.signing_keys import SigningKeyManagement
from webhooks.management.subscriptions import SubscriptionManagement
from webhooks.management.tenants import TenantOverviews
from webhooks.management.test_events import TestEvents
from webhooks.management.webhook_metrics import WebhookMetrics
from webhooks.management.webhooks import WebhookManagement
from webhooks.payload import dumps

if TYPE_CHECKING:
    from webhooks.statistics.prometheus import ServiceMetrics

PREFIX = "/api/v1"
OWN_HEADERS = ["Idempotency-Key", "If-Match", "X-User-ID", "X-Workspace-ID", "traceparent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """Everything that the routes call, and who admits to them."""

    limiter: RequestLimiter
    webhooks: WebhookManagement
    subscriptions: SubscriptionManagement
    api_keys: ApiKeyManagement
    portal_links: PortalLinks
    signing_keys: SigningKeyManagement
    audit: AuditLog
    members: Members
    publishing: Publishing
    test_events: TestEvents
    events: EventHistory
    event_search: EventSearch
    deliveries: DeliveryHistory
    delivery_search: DeliverySearch
    dead_letters: DeadLetterManagement
    failures: FailureGroups
    pulling: Pulling
    recovery: Recovery
    bulk_replays: BulkReplays
    replays: Replays
    filters: FilterTests
    webhook_metrics: WebhookMetrics
    overviews: Overviews
    limits: Limits
    tenants: TenantOverviews
    tenant_erasures: TenantErasures
    event_erasure: EventErasure
    service_metrics: "ServiceMetrics"
    cursors: Cursors
    readiness: ReadinessProbe
    event_types: Collection[str]
    egress_addresses: Sequence[str] | None  # None: deliveries leave from addresses that nobody promises


class Request(APIGatewayProxyEvent):
    """A request whose headers are gone through once, and not each time that one of them is asked for."""

    @cached_property
    def headers(self) -> dict[str, str]:  # type: ignore[override]
        """By name, in whatever case."""
        return super().headers


class Api(APIGatewayRestResolver):
    """The resolver with strict requests, and with RFC 9457 for every error."""

    def __init__(self, limiter: RequestLimiter, cors_allowed_origins: Collection[str], logger: Logger) -> None:
        self._limiter = limiter
        self._logger = logger
        origins = list(cors_allowed_origins) or [""]
        cors = CORSConfig(
            allow_origin=origins[0],
            extra_origins=origins[1:],
            allow_headers=OWN_HEADERS,
            expose_headers=["ETag", "Location", "Retry-After", "RateLimit", "RateLimit-Policy", "Link"],
            max_age=600,
        )
        # an answer that does not fit its model is a fault of ours, and must not pass for one of the caller's
        super().__init__(serializer=dumps, enable_validation=True, cors=cors, response_validation_error_http_code=500)
        self._request_validation_middleware = StrictRequests()
        self.exception_handler(WebhooksError)(self._error)
        self.exception_handler(problems.Refused)(self._refused)
        self.exception_handler(RequestValidationError)(self._invalid)
        self.exception_handler(Exception)(self._unexpected)
        self.not_found(self._unknown_route)

    def resolve(self, event: Any, context: Any) -> dict[str, Any]:  # noqa: ANN401
        """A proxy request in, its response out."""
        return super().resolve(below_base_path(event), context)

    def _to_proxy_event(self, event: dict[str, Any]) -> Request:
        return Request(event)

    def _call_route(self, route: Route, route_arguments: dict[str, str]) -> ResponseBuilder[Any]:
        """Before validation, and all else that costs anything."""
        try:
            caller = self._limiter.admit(self.current_event)
        except (WebhooksError, problems.Refused) as exc:
            caller = caller_in(self.current_event) if isinstance(exc, TooManyRequests) else None
            answer = cast("ResponseBuilder[Any]", self._call_exception_handler(exc, route))
        else:
            answer = cast("ResponseBuilder[Any]", super()._call_route(route, route_arguments))
        headers = answer.response.headers
        headers.setdefault("Cache-Control", "no-store")  # it is one tenant's, or holds a new secret
        headers.update(self._limiter.headers(caller))
        return answer

    @property
    def asked(self) -> problems.Asked:
        """What a problem says of this request."""
        event = self.current_event
        return problems.Asked(str(event.raw_event["requestContext"].get("requestId", "")), base_path(event))

    def _error(self, error: WebhooksError) -> Response[str]:
        answer = problems.of_error(error, self.asked)
        if answer.status_code >= 500:
            self._logger.error("request failed", exc_info=error, request_id=self.asked.request_id)
        return answer

    def _refused(self, error: problems.Refused) -> Response[str]:
        return problems.problem(error.kind, str(error), asked=self.asked, headers=error.headers)

    def _invalid(self, error: RequestValidationError) -> Response[str]:
        return problems.of_validation(error, self.asked)

    def _unexpected(self, error: Exception) -> Response[str]:
        self._logger.error("request failed", exc_info=error, request_id=self.asked.request_id)
        return problems.internal(self.asked)

    def _unknown_route(self, _: NotFoundError) -> Response[str]:
        path = self.current_event.path
        allowed = sorted(
            {route.method for route in self._static_routes + self._dynamic_routes if route.rule.match(path)}
        )
        if allowed:
            return problems.problem(
                problems.METHOD_NOT_ALLOWED,
                f"This route takes {', '.join(allowed)}.",
                asked=self.asked,
                headers={"Allow": ", ".join(allowed)},
            )
        return problems.problem(problems.NOT_FOUND, "There is no such route.", asked=self.asked)


def create(use_cases: UseCases, cors_allowed_origins: Collection[str], logger: Logger) -> Api:
    """The API over these use cases."""
    api = Api(use_cases.limiter, cors_allowed_origins, logger)

    @cache
    def document() -> str:
        from openapi import openapi_text  # which takes a tenth of a start, and is seldom read

        return openapi_text(api)

    api.include_router(routes_system.routes(use_cases.readiness, document))
    api.include_router(routes_problems.routes())
    api.include_router(routes_metrics.service_routes(use_cases.service_metrics))
    api.include_router(routes_signing_keys.public_routes(use_cases.signing_keys))
    api.include_router(routes_portal_links.public_routes(use_cases.portal_links))
    for router in (
        routes_webhooks.routes(use_cases.webhooks, use_cases.test_events, use_cases.webhook_metrics, use_cases.cursors),
        routes_subscriptions.routes(use_cases.subscriptions, use_cases.cursors),
        routes_members.routes(use_cases.members),
        routes_api_keys.routes(use_cases.api_keys, use_cases.cursors),
        routes_portal_links.routes(use_cases.portal_links),
        routes_signing_keys.routes(use_cases.signing_keys),
        routes_audit.routes(use_cases.audit, use_cases.cursors),
        routes_events.routes(use_cases.publishing, use_cases.event_types, use_cases.limiter),
        routes_event_search.routes(use_cases.event_search, use_cases.cursors),
        routes_event_history.routes(use_cases.events, use_cases.event_erasure, use_cases.cursors),
        routes_erasures.routes(use_cases.tenant_erasures, use_cases.cursors),
        routes_deliveries.routes(use_cases.deliveries, use_cases.cursors),
        routes_delivery_search.routes(use_cases.delivery_search, use_cases.cursors),
        routes_pull.routes(use_cases.pulling),
        routes_dead_letters.routes(use_cases.dead_letters, use_cases.cursors),
        routes_recovery.routes(
            use_cases.failures, use_cases.recovery, use_cases.bulk_replays, use_cases.cursors, use_cases.limiter
        ),
        routes_replays.routes(use_cases.replays, use_cases.cursors),
        routes_filters.routes(use_cases.filters),
        routes_limits.routes(use_cases.limits),
        routes_egress_addresses.routes(use_cases.egress_addresses),
        routes_metrics.routes(use_cases.webhook_metrics, use_cases.overviews, use_cases.tenants),
    ):
        api.include_router(router, prefix=PREFIX)
    return api
