"""Answers of the API that several routes share."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, SkipValidation

from webhooks.management.requests import FilterDocument
from webhooks.models.subscription import Subscription
from webhooks.models.webhook import Webhook
from webhooks.payload import marked
from webhooks.request.ed25519 import KeyPair
from webhooks.request.headers import MASK
from webhooks.times import rfc3339

NO_SUBSCRIPTIONS = "This webhook has no subscriptions yet, so nothing will arrive: POST one to its subscriptions."

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2024-01-01T12:00:00.000Z"])]
NextCursor = Annotated[str | None, Field(description="pass it as `cursor` for the next page; null on the last one")]
# An event with its numbers as they were written: `dumps`, by which the api writes, knows what `marked` makes of them.
Payload = Annotated[dict[str, Any], SkipValidation, PlainSerializer(marked)]
Document = Annotated[dict[str, Any], PlainSerializer(marked, return_type=dict[str, Any])]  # as its owner wrote it
Secret = Annotated[str, Field(description="shown this once", examples=["whsec_..."])]


class Answer(BaseModel):
    """What all answers have in common."""

    model_config = ConfigDict(frozen=True, defer_build=True)  # a request needs few of them


class SubscriptionAnswer(Answer):
    """A subscription."""

    id: str
    webhook_id: str
    event_type: str
    resource_id: str | None
    is_active: bool
    filters: Annotated[FilterDocument, PlainSerializer(marked)] | None
    version: int
    created_at: Time
    updated_at: Time

    @classmethod
    def of(cls, subscription: Subscription) -> Self:
        """The answer for this subscription."""
        return cls(
            id=subscription.subscription_id,
            webhook_id=subscription.webhook_id,
            event_type=subscription.event_type,
            resource_id=subscription.resource_id,
            is_active=subscription.is_active,
            filters=None if subscription.filters is None else dict(subscription.filters),  # type: ignore[arg-type]
            version=subscription.version,
            created_at=rfc3339(subscription.created_at_ms),
            updated_at=rfc3339(subscription.updated_at_ms),
        )


class PublicKey(Answer):
    """What an ed25519 signature (`v1a`) is verified with."""

    key: Annotated[str, Field(description="as Standard Webhooks writes it", examples=["whpk_..."])]
    key_id: Annotated[str, Field(description="its `kid` in /.well-known/jwks.json")]
    expires_at: Annotated[Time | None, Field(description="it signs until then; null for the newest")]

    @classmethod
    def of(cls, pair: KeyPair) -> Self:
        """The answer for this key."""
        until_ms = pair.key.until_ms
        return cls(key=pair.standard, key_id=pair.key_id, expires_at=None if until_ms is None else rfc3339(until_ms))


class WebhookAnswer(Answer):
    """A webhook. The values of its headers are masked; its secret is never shown again."""

    id: str
    user_id: str | int
    workspace_id: str | int | None
    name: str
    kind: Literal["push", "pull"]
    url: Annotated[str | None, Field(description="null for a pull webhook, whose events are read")]
    description: str
    status: Literal["active", "paused", "inactive", "failed", "deleted"]
    status_reason: str | None
    max_retries: int
    timeout_seconds: int
    rate_limit_rps: int | float | None
    static_egress: bool
    headers: dict[str, str]
    metadata: Document
    version: int
    previous_secret_expires_at: Annotated[
        Time | None, Field(description="until then an older secret signs too; null outside of a rotation")
    ]
    ed25519: bool
    public_keys: Annotated[
        list[PublicKey],
        Field(description="with `ed25519`: each signs, the newest first; a receiver needs one of them. Empty without"),
    ]
    created_at: Time
    updated_at: Time

    @classmethod
    def of(cls, webhook: Webhook, keys: Sequence[KeyPair], now_ms: int, **more: object) -> Self:
        """The answer for this webhook at `now_ms`. `keys` are those of the service, if it asks for them; `more` sets
        the fields of a subclass."""
        until_ms = webhook.previous_secret_until_ms
        return cls.model_validate(
            {
                "id": webhook.webhook_id,
                "user_id": webhook.user_id,
                "workspace_id": webhook.workspace_id,
                "name": webhook.name,
                "kind": webhook.kind,
                "url": webhook.url if webhook.kind == "push" else None,
                "description": webhook.description,
                "status": webhook.status,
                "status_reason": webhook.status_reason,
                "max_retries": webhook.max_retries,
                "timeout_seconds": webhook.timeout_seconds,
                "rate_limit_rps": webhook.rate_limit_rps,
                "static_egress": webhook.static_egress,
                "headers": dict.fromkeys(webhook.header_names, MASK),
                "metadata": webhook.metadata,
                "version": webhook.version,
                "previous_secret_expires_at": rfc3339(until_ms) if until_ms > now_ms else None,
                "ed25519": webhook.ed25519,
                "public_keys": [PublicKey.of(each) for each in keys] if webhook.ed25519 else [],
                "created_at": rfc3339(webhook.created_at_ms),
                "updated_at": rfc3339(webhook.updated_at_ms),
                **more,
            }
        )


class RegisteredWebhook(WebhookAnswer):
    """A new webhook. `secret` is null only where a repeated request finds that the webhook has changed since."""

    secret: Secret | None
    subscriptions: list[SubscriptionAnswer]
    notice: Annotated[str | None, Field(description="what is still missing before anything arrives")]


class WebhookWithSecret(WebhookAnswer):
    """A webhook with its new secret."""

    secret: Secret


class SubscriptionPage(Answer):
    """Subscriptions, oldest first."""

    items: list[SubscriptionAnswer]
    next_cursor: NextCursor


class EventTypeAnswer(Answer):
    """An event type, or a pattern that stands for several."""

    name: str
    description: str
    covered_by: Annotated[list[str], Field(description="patterns whose subscriptions get it too")]


class EventTypes(Answer):
    """What subscriptions may name."""

    items: list[EventTypeAnswer]


class AcceptedEvent(Answer):
    """An accepted event."""

    id: str
    duplicate: Annotated[
        bool, Field(description="true: the same event is recorded under this id, and is not sent again")
    ] = False


class AcceptedEvents(Answer):
    """Accepted events, in the request's order."""

    accepted: int
    events: list[AcceptedEvent]


class Health(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Answer):
    """Whether each part that the service stands on answers."""

    status: Literal["ok", "unavailable"]
    checks: Annotated[dict[str, str], Field(description="`ok`, or what went wrong, by part")]


class FieldProblem(Answer):
    """One wrong field."""

    field: Annotated[str, Field(description="where in the request", examples=["subscriptions[0].event_type"])]
    message: Annotated[str, Field(description="what would be right, for people")]
    code: Annotated[
        str,
        Field(
            description=(
                "what is wrong, for programs: required, unknown, wrong_type, wrong_form, too_short, too_long, "
                "too_small, too_large, not_allowed, repeated, invalid, or one of a field's own such as url_scheme. "
                "More may come"
            ),
            examples=["required"],
        ),
    ]


class Problem(Answer):
    """An error, as RFC 9457 has it. `type` is stable: programs may decide by it."""

    type: Annotated[str, Field(description="has a page that says what to do: Link", examples=["/problems/validation"])]
    title: str
    status: int
    detail: str
    request_id: str
    errors: Annotated[list[FieldProblem] | None, Field(description="wrong fields, where there are any")] = None
