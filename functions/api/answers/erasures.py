"""Erasures as the API answers with them."""

from typing import Annotated, Literal, Self

from pydantic import Field

from answers.common import Answer, NextCursor, Time
from webhooks.management.erasures import tenant_of_scope
from webhooks.models.erasure import Erasure
from webhooks.times import rfc3339


class ErasureAnswer(Answer):
    """The erasure of a tenant, and how far it has come."""

    tenant: Annotated[str, Field(description="`user:<id>` or `workspace:<id>`", examples=["user:42"])]
    status: Literal["pending", "running", "completed"]
    requested_at: Annotated[Time, Field(description="what came later is not erased")]
    requested_by: Annotated[str, Field(description="the user id of the caller")]
    completed_at: Time | None
    updated_at: Time
    webhooks: Annotated[int, Field(description="taken out of service, with their secrets")]
    deliveries_ended: Annotated[int, Field(description="that waited outside the queues: `abandoned: erased`")]
    items_erased: Annotated[int, Field(description="of the table: removed, or left without payload")]
    items_read: Annotated[int, Field(description="of the table, which is read as a whole once")]
    items_unreadable: Annotated[
        int,
        Field(
            description="of the table, left alone, since nobody can tell whose they are; the service's log names each"
        ),
    ]

    @classmethod
    def of(cls, erasure: Erasure) -> Self:
        """The answer for this erasure."""
        completed_ms = erasure.completed_at_ms
        return cls(
            tenant=tenant_of_scope(erasure.scope),
            status=erasure.status,
            requested_at=rfc3339(erasure.requested_at_ms),
            requested_by=erasure.requested_by,
            completed_at=None if completed_ms is None else rfc3339(completed_ms),
            updated_at=rfc3339(erasure.updated_at_ms),
            webhooks=erasure.webhooks,
            deliveries_ended=erasure.ended,
            items_erased=erasure.items,
            items_read=erasure.looked_at,
            items_unreadable=erasure.unreadable,
        )


class ErasurePage(Answer):
    """The list of the erased, in the order of their ids."""

    items: list[ErasureAnswer]
    next_cursor: NextCursor
