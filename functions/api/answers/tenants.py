"""Everybody's figures as the API answers admins."""

from typing import Annotated, Self

from pydantic import Field

from answers.common import Answer, Time
from answers.metrics import Cause, FiguresAnswer
from answers.overview import AttentionAnswer
from webhooks.management.tenants import Tenant, TenantsView
from webhooks.times import rfc3339


class TenantAnswer(FiguresAnswer):
    """An owner's webhooks together."""

    user_id: str
    webhooks: int
    cause: Cause
    waiting: Annotated[
        dict[str, int], Field(description="deliveries that wait outside the queues, by what they wait for, as of now")
    ]

    @classmethod
    def of_tenant(cls, tenant: Tenant) -> Self:
        """The answer for this owner."""
        return cls.of(
            tenant.figures,
            user_id=tenant.owner,
            webhooks=tenant.webhooks,
            cause=next(iter(tenant.figures.failure_reasons), None),
            waiting=dict(tenant.waiting),
        )


class OwnedAttention(AttentionAnswer):
    """A webhook in trouble, and whose it is."""

    user_id: str


class TenantsAnswer(Answer):
    """Everybody. Figures are from `from` up to, not including, `to`, and some seconds behind."""

    from_: Annotated[Time, Field(alias="from")]
    to: Time
    items: Annotated[list[TenantAnswer], Field(description="most failures first")]
    is_complete: Annotated[bool, Field(description="false: there are owners who are not listed")]
    attention: Annotated[list[OwnedAttention], Field(description="webhooks that do not do well, the worst first")]
    more_attention: Annotated[bool, Field(description="there may be more of them")]

    @classmethod
    def of_view(cls, view: TenantsView) -> Self:
        """The answer for this view."""
        return cls.model_validate(
            {
                "from": rfc3339(view.asked.from_ms),
                "to": rfc3339(view.asked.to_ms),
                "items": [TenantAnswer.of_tenant(each) for each in view.tenants],
                "is_complete": view.is_complete,
                "attention": [
                    OwnedAttention.of(
                        each,
                        webhook_id=each.webhook.webhook_id,
                        webhook_name=each.webhook.name,
                        user_id=each.webhook.owner,
                    )
                    for each in view.attention
                ],
                "more_attention": view.more,
            }
        )
