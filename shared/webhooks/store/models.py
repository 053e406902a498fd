"""The items that the management side reads and writes, as pynamodb models.

Attributes are named like the fields of the dataclasses that they store. The models name no table: `bound` makes one of
them speak to a table of a client's choice, so that importing this module reads no environment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar, cast

from pynamodb.attributes import (
    Attribute,
    BinaryAttribute,
    BooleanAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
)
from pynamodb.connection import Connection
from pynamodb.expressions.update import Action
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from webhooks.payload import dumps, loads
from webhooks.store import schema

CONNECT_TIMEOUT_SECONDS = 2
READ_TIMEOUT_SECONDS = 5


class ForeignIdAttribute(Attribute[str | int]):
    """A platform's id as it was given: a string or an integer, each in DynamoDB's own type."""

    attr_type = "S"

    def serialize(self, value: str | int) -> str:
        """Text; the item gives integers their type."""
        return str(value)

    def get_value(self, value: dict[str, Any]) -> str | int:
        """Whichever of the two it is."""
        return value["S"] if "S" in value else int(value["N"])

    def deserialize(self, value: str | int) -> str | int:
        """Nothing is left to do."""
        return value


class DocumentAttribute(Attribute[Mapping[str, object]]):
    """A JSON object of a caller's, its numbers as they were written."""

    attr_type = "S"

    def serialize(self, value: Mapping[str, object]) -> str:
        """Its text."""
        return dumps(value)

    def deserialize(self, value: str) -> Mapping[str, object]:
        """What the text says."""
        return loads(value)


class _Item(Model):
    """What all items have."""

    foreign_ids: ClassVar[tuple[str, ...]] = ()

    pk = UnicodeAttribute(hash_key=True, attr_name=schema.PK)
    sk = UnicodeAttribute(range_key=True, attr_name=schema.SK)
    fault: Exception | None = None  # why it cannot be read: it has its keys alone then

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """The item, whatever it holds: among many that pynamodb reads at once, one bad one would fail the others."""
        try:
            return super().from_raw_data(data)
        except Exception as exc:
            item = super().from_raw_data({name: data[name] for name in (schema.PK, schema.SK)})
            item.fault = exc
            return item

    @classmethod
    def through(cls, other: "type[_Item]") -> None:
        """Use the other model's client: one costs a tenth of a second to make, and a TLS handshake."""
        cls._connection = other._get_connection()

    @classmethod
    def connection(cls) -> Connection:
        """What transactions go through."""
        return cls._get_connection().connection

    def changes(self) -> list[Action]:
        """What writes all that the item has, but for what never changes, and leaves what a newer version has added."""
        kept = ("pk", "sk", *self.foreign_ids)
        changed = ((name, getattr(type(self), name)) for name in self.get_attributes() if name not in kept)
        return [path.remove() if (v := getattr(self, name)) is None else path.set(v) for name, path in changed]

    def _container_serialize(self, null_check: bool = True) -> dict[str, dict[str, Any]]:
        """pynamodb takes an attribute's type from its class; a foreign id's depends on the value."""
        values = super()._container_serialize(null_check)
        for name in self.foreign_ids:
            if isinstance(getattr(self, name), int):
                values[name]["N"] = values[name].pop("S")
        return values


class ListingIndex(GlobalSecondaryIndex["WebhookItem"]):
    """One owner's webhooks."""

    class Meta:
        index_name = schema.LISTING_INDEX
        projection = KeysOnlyProjection()

    listing_key = UnicodeAttribute(hash_key=True, attr_name=schema.LISTING_KEY)
    listing_at = UnicodeAttribute(range_key=True, attr_name=schema.LISTING_AT)


class OverviewIndex(GlobalSecondaryIndex["WebhookItem"]):
    """Everybody's webhooks."""

    class Meta:
        index_name = schema.OVERVIEW_INDEX
        projection = KeysOnlyProjection()

    overview_key = UnicodeAttribute(hash_key=True, attr_name=schema.OVERVIEW_KEY)
    overview_at = UnicodeAttribute(range_key=True, attr_name=schema.OVERVIEW_AT)


class WebhookItem(_Item):
    """A webhook, or the tombstone of one."""

    foreign_ids = ("user_id", "workspace_id")

    listing: ClassVar[ListingIndex] = ListingIndex()
    overview: ClassVar[OverviewIndex] = OverviewIndex()
    listing_key = UnicodeAttribute(null=True, attr_name=schema.LISTING_KEY)
    listing_at = UnicodeAttribute(null=True, attr_name=schema.LISTING_AT)
    overview_key = UnicodeAttribute(null=True, attr_name=schema.OVERVIEW_KEY)
    overview_at = UnicodeAttribute(null=True, attr_name=schema.OVERVIEW_AT)
    expires_at = NumberAttribute(null=True, attr_name=schema.EXPIRES_AT)

    user_id = ForeignIdAttribute()
    workspace_id = ForeignIdAttribute(null=True)
    name = UnicodeAttribute()
    url = UnicodeAttribute()
    description = UnicodeAttribute()
    metadata = DocumentAttribute()
    header_names = JSONAttribute()
    sealed = BinaryAttribute(legacy_encoding=False)
    sealed_version = NumberAttribute()
    max_retries = NumberAttribute()
    timeout_seconds = NumberAttribute()
    rate_limit_rps = NumberAttribute(null=True)
    status = UnicodeAttribute()
    status_reason = UnicodeAttribute(null=True)
    version = NumberAttribute()
    routes_version = NumberAttribute(default=0)
    filter_bytes = NumberAttribute(default=0)
    filter_searches = NumberAttribute(default=0)
    previous_secret_until_ms = NumberAttribute(default=0)
    ed25519 = BooleanAttribute(null=True)
    static_egress = BooleanAttribute(null=True)  # there where it is true
    kind = UnicodeAttribute(null=True)  # there where it is not push
    created_at_ms = NumberAttribute()
    updated_at_ms = NumberAttribute()


class SubscriptionItem(_Item):
    """A subscription, beside its webhook."""

    event_type = UnicodeAttribute()
    resource_id = UnicodeAttribute(null=True)
    is_active = BooleanAttribute()
    filters = DocumentAttribute(null=True)
    version = NumberAttribute()
    created_at_ms = NumberAttribute()
    updated_at_ms = NumberAttribute()


class RouteItem(_Item):
    """All of a webhook's subscriptions to one pattern."""

    owner = UnicodeAttribute()
    status = UnicodeAttribute()
    subscriptions = UnicodeAttribute()
    static_egress = BooleanAttribute(null=True)  # there where it is true


class VersionsItem(_Item):
    """Counts changes of a scope's routes, in one attribute a pattern, and what their filters take of its budget."""

    filter_bytes = NumberAttribute(default=0, attr_name=schema.FILTER_BYTES)
    filter_searches = NumberAttribute(default=0, attr_name=schema.FILTER_SEARCHES)


class AmountItem(_Item):
    """How much a tenant has."""

    webhooks = NumberAttribute(default=0)


class IdempotencyItem(_Item):
    """What an idempotency key was used for."""

    fingerprint = UnicodeAttribute()
    webhook_id = UnicodeAttribute()
    expires_at_ms = NumberAttribute()
    expires_at = NumberAttribute(attr_name=schema.EXPIRES_AT)


class AuditItem(_Item):
    """What is kept of a management call."""

    overview_key = UnicodeAttribute(attr_name=schema.OVERVIEW_KEY)
    overview_at = UnicodeAttribute(attr_name=schema.OVERVIEW_AT)
    expires_at = NumberAttribute(attr_name=schema.EXPIRES_AT)
    entry = UnicodeAttribute()


Bound = TypeVar("Bound", bound=_Item)


@dataclass(frozen=True, slots=True)
class Models:
    """The models, bound to one table."""

    webhook: type[WebhookItem]
    subscription: type[SubscriptionItem]
    route: type[RouteItem]
    versions: type[VersionsItem]
    idempotency: type[IdempotencyItem]
    amount: type[AmountItem]
    audit: type[AuditItem]


def bind(table_name: str) -> Models:
    """Models that speak to this table, in the region and at the endpoint that botocore finds."""
    meta = {
        "table_name": table_name,
        "region": None,
        "connect_timeout_seconds": CONNECT_TIMEOUT_SECONDS,
        "read_timeout_seconds": READ_TIMEOUT_SECONDS,
    }
    models = Models(
        webhook=_bound(WebhookItem, meta),
        subscription=_bound(SubscriptionItem, meta),
        route=_bound(RouteItem, meta),
        versions=_bound(VersionsItem, meta),
        idempotency=_bound(IdempotencyItem, meta),
        amount=_bound(AmountItem, meta),
        audit=_bound(AuditItem, meta),
    )
    for model in (models.subscription, models.route, models.versions, models.idempotency, models.amount, models.audit):
        model.through(models.webhook)
    return models


def _bound(model: type[Bound], meta: Mapping[str, object]) -> type[Bound]:
    namespace = {"Meta": type("Meta", (), dict(meta)), "__module__": __name__}
    return cast("type[Bound]", type(model)(model.__name__, (model,), namespace))
