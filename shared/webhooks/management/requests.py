"""What callers send, as the API takes it: strict types, no unknown fields.

In a change (`...Change`) only fields that are there count: pydantic's `model_fields_set` tells an absent field from a
null. Such fields get their default from a factory, since a default would show in the OpenAPI document as if it applied.
"""

import re
from collections.abc import Collection
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from webhooks.access.callers import MAX_ID_CHARACTERS
from webhooks.payload import Number, serialise

MAX_SUBSCRIPTIONS = 48  # of a webhook: they, a route row each, and four more items make one transaction of at most 100
MAX_FIRST_SUBSCRIPTIONS = MAX_SUBSCRIPTIONS - 1  # with a new webhook, which has two more
MAX_FILTER_BYTES = 200 * 1024  # of a webhook's subscriptions together: a route row may hold all of them (items: 400 KB)
MAX_METADATA_BYTES = 4 * 1024
_INTEGER_LIMIT = 2**63
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        raise PydanticCustomError("control_characters", "must not hold control characters")
    return text


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(serialise(metadata)) > MAX_METADATA_BYTES:
        raise PydanticCustomError("too_large", "must be at most 4 KB of JSON")
    return metadata


def _foreign(value: object) -> str | int:
    if isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARACTERS and "|" not in value and value.isprintable():
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _INTEGER_LIMIT:
        return value
    raise PydanticCustomError("foreign_id", "must be an integer, or 1 to 128 printable characters without |")


# Kept as it was written; `parse_filters` checks it. The OpenAPI document has `filter_document.Filters` under this name.
FilterDocument = Annotated[dict[str, Any], WithJsonSchema({"$ref": "#/components/schemas/Filters"})]
# Checked by hand: the errors of a union name its branches, which callers know nothing of.
ForeignId = Annotated[
    str | int,
    PlainValidator(_foreign),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARACTERS},
                {"type": "integer", "exclusiveMinimum": -_INTEGER_LIMIT, "exclusiveMaximum": _INTEGER_LIMIT},
            ]
        }
    ),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
Url = Annotated[
    str, StringConstraints(min_length=1, max_length=2_048), Field(examples=["https://example.com/webhooks"])
]
Description = Annotated[str, StringConstraints(max_length=2_000)]
Metadata = Annotated[dict[str, Any], AfterValidator(_small)]
MaxRetries = Annotated[int, Field(ge=0, le=15, description="attempts after the first")]
TimeoutSeconds = Annotated[int, Field(ge=1, le=30, description="for a whole attempt, from DNS to the end of the body")]
RateLimit = Annotated[
    float, Field(gt=0, le=10_000, allow_inf_nan=False, description="deliveries a second; null: no limit")
]
KeyScope = Literal[
    "webhooks:read", "webhooks", "events:write", "events:write:any", "metrics:read", "portal-links", "admin"
]
# Those that reach no further than one customer, and no further than its webhooks.
SessionScope = Literal["webhooks:read", "webhooks", "events:write"]
Ed25519 = Annotated[bool, Field(description="signed with the service's ed25519 key too (v1a of Standard Webhooks)")]
StaticEgress = Annotated[
    bool,
    Field(description="deliver from the addresses of `GET /egress-addresses` alone, where there are any"),
]
Kind = Annotated[
    Literal["push", "pull"],
    Field(description="push: events are sent to the URL; pull: they are kept, and read at `GET /webhooks/:id/events`"),
]
SettableStatus = Literal["active", "paused", "inactive"]
EventTypePattern = Annotated[
    str, StringConstraints(min_length=1, max_length=128), Field(description="an event type, or record.*, or *")
]


class Request(BaseModel):
    """What all requests have in common."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)


def written(request: BaseModel, *, exclude: Collection[str] = (), exclude_unset: bool = False) -> str:
    """The request as a text that tells it from others."""
    return request.model_dump_json(exclude=set(exclude), exclude_unset=exclude_unset, fallback=_spelled)


def _spelled(value: object) -> dict[str, str]:
    if isinstance(value, Number):
        return {"number": value.text}
    raise TypeError(f"{type(value).__name__} is no JSON")


class SubscriptionRequest(Request):
    """An event type to subscribe to, and which of its events."""

    event_type: EventTypePattern
    resource_id: ForeignId | None = None
    is_active: bool = True
    filters: FilterDocument | None = None


class SubscriptionChange(Request):
    """Absent fields stay as they are; null removes `resource_id` or `filters`."""

    event_type: EventTypePattern = Field(default_factory=str)
    resource_id: ForeignId | None = Field(default_factory=lambda: None)
    is_active: bool = Field(default_factory=bool)
    filters: FilterDocument | None = Field(default_factory=lambda: None)


def _unless_pull(url: str | None, info: ValidationInfo) -> str | None:
    if url is None and info.data.get("kind") == "push":
        raise PydanticCustomError("missing", "is required, unless the kind is pull")
    return url


class WebhookRequest(Request):
    """A webhook to register. One of kind pull has no URL, nor anything else that is for sending."""

    name: Name
    kind: Kind = "push"
    url: Annotated[Url | None, AfterValidator(_unless_pull)] = Field(
        None, validate_default=True, description="required, unless the kind is pull"
    )
    description: Description = ""
    workspace_id: ForeignId | None = Field(
        None, description="hear the events of this workspace instead of the user's own"
    )
    status: SettableStatus = "active"
    max_retries: MaxRetries = 9
    timeout_seconds: TimeoutSeconds = 15
    rate_limit_rps: RateLimit | None = None
    static_egress: StaticEgress = False
    headers: dict[str, str] = Field(
        default_factory=dict[str, str], description="sent with each delivery, and never shown again"
    )
    metadata: Metadata = Field(default_factory=dict[str, Any])
    ed25519: Ed25519 = False
    secret: str | None = Field(
        default=None, description="an existing signing secret to go on with; without it one is made"
    )
    subscriptions: Annotated[list[SubscriptionRequest], Field(max_length=MAX_FIRST_SUBSCRIPTIONS)] = Field(
        default_factory=list[SubscriptionRequest]
    )


class WebhookChange(Request):
    """Absent fields stay as they are. `workspace_id` and `kind` may only repeat the present ones."""

    name: Name = Field(default_factory=str)
    kind: Kind = Field(default_factory=lambda: "push")
    url: Url = Field(default_factory=str)
    description: Description = Field(default_factory=str)
    workspace_id: ForeignId | None = Field(default_factory=lambda: None)
    status: SettableStatus = Field(default_factory=lambda: "active")
    max_retries: MaxRetries = Field(default_factory=int)
    timeout_seconds: TimeoutSeconds = Field(default_factory=int)
    rate_limit_rps: RateLimit | None = Field(default_factory=lambda: None)
    static_egress: StaticEgress = Field(default_factory=bool)
    headers: dict[str, str] = Field(
        default_factory=dict[str, str],
        description="all of them; ******** keeps a value, unless the URL moves to another server",
    )
    metadata: Metadata = Field(default_factory=dict[str, Any])
    ed25519: Ed25519 = Field(default_factory=bool)


class RegenerateSecret(Request):
    """How long the previous secret signs beside the new one."""

    overlap_hours: Annotated[int, Field(ge=0, le=168)] = 24


class RotateSigningKey(Request):
    """How long the previous key signs beside the new one. Receivers have as long to take the new one over."""

    overlap_hours: Annotated[int, Field(ge=0, le=2_160)] = 720


class SendTest(Request):
    """What the test delivery holds; all of it is optional."""

    test: Literal[True] = True
    event_type: Annotated[str, StringConstraints(min_length=1, max_length=128)] = "webhook.test"
    data: dict[str, Any] = Field(default_factory=dict[str, Any])


class ApiKeyRequest(Request):
    """An API key to make."""

    name: Name
    scopes: Annotated[list[KeyScope], Field(min_length=1, max_length=len(get_args(KeyScope)))]
    workspace_ids: Annotated[list[ForeignId], Field(max_length=100)] | None = Field(
        default=None, description="those in which it may act; without it, all that your token names"
    )
    expires_in_days: Annotated[int, Field(ge=1, le=365)] = 90


class Appearance(Request):
    """How the portal looks. Whoever has the link can change it, so it is no secret and no permission."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_printable)] | None = Field(
        default=None, description="shown instead of ours"
    )
    logo: Annotated[str, StringConstraints(max_length=1_024)] | None = Field(
        default=None, description="an image's URL at an origin that may embed the dashboard"
    )
    accent: Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{6}$")] | None = Field(
        default=None, description="colour of buttons and marks", examples=["0b7a5c"]
    )
    theme: Literal["light", "dark"] | None = Field(default=None, description="otherwise as the reader's system is set")
    language: Literal["en", "de"] | None = Field(default=None, description="otherwise English")


class PortalLinkRequest(Request):
    """A portal link to make."""

    user_id: ForeignId = Field(description="the customer's user, whom the session acts for")
    workspace_ids: Annotated[list[ForeignId], Field(max_length=100)] = Field(
        default_factory=list[str | int], description="the user's workspaces in which the session may act"
    )
    scopes: Annotated[list[SessionScope], Field(min_length=1, max_length=len(get_args(SessionScope)))] = Field(
        default=["webhooks"], description="what the session may do"
    )
    expires_in_seconds: Annotated[int, Field(ge=30, le=3_600)] = Field(
        default=300, description="how long the link can be redeemed"
    )
    session_seconds: Annotated[int, Field(ge=300, le=43_200)] = Field(
        default=3_600, description="how long the session lasts from then"
    )
    appearance: Appearance = Field(default_factory=Appearance)


class RedeemRequest(Request):
    """A portal link to redeem."""

    link: Annotated[str, StringConstraints(min_length=1, max_length=128)] = Field(
        description="what stands behind `#link=`", examples=["pyal_..."]
    )


class CommitRequest(Request):
    """How far a consumer has come."""

    cursor: Annotated[str, StringConstraints(max_length=2_048)] = Field(
        description="`cursor` of the last event that is done with, or `next_cursor` of a page that is"
    )
