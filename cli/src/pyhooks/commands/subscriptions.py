"""`pyhooks subscriptions`."""

import json
from typing import IO

import click

from pyhooks.api import Json, at
from pyhooks.commands.completing import event_types
from pyhooks.commands.webhooks import LIMIT, WEBHOOK
from pyhooks.options import everywhere, settings
from pyhooks.output import listed, said, shown

_SUBSCRIPTION = click.argument("subscription_id", metavar="SUBSCRIPTION")


@click.group
def subscriptions() -> None:
    """Which events a webhook gets."""


@subscriptions.command("list")
@WEBHOOK
@LIMIT
@everywhere
def list_subscriptions(webhook_id: str, limit: int) -> None:
    """List a webhook's."""
    with settings().api() as api:
        found = api.items(at("webhooks", webhook_id, "subscriptions"), limit)
        columns = ["id", "event_type", "resource_id", ("is_active", "active"), "filters"]
        listed(found, columns, nothing="There are none: the webhook gets nothing.")


@subscriptions.command("show")
@WEBHOOK
@_SUBSCRIPTION
@everywhere
def show_subscription(webhook_id: str, subscription_id: str) -> None:
    """Show one."""
    with settings().api() as api:
        shown(api.get(at("webhooks", webhook_id, "subscriptions", subscription_id)))


@subscriptions.command("add")
@WEBHOOK
@click.argument("event_type", shell_complete=event_types)
@click.option("--resource", metavar="ID", help="Only events of this resource.")
@click.option(
    "--filters", type=click.File("r"), metavar="FILE", help="Only events that fit: JSON, - for standard input."
)
@everywhere
def add_subscription(webhook_id: str, event_type: str, resource: str | None, filters: IO[str] | None) -> None:
    """Subscribe a webhook to EVENT_TYPE, such as record.* or *."""
    document: Json = {"event_type": event_type}
    if resource is not None:
        document["resource_id"] = resource
    if filters is not None:
        try:
            document["filters"] = json.load(filters)
        except ValueError as error:
            raise click.BadParameter(f"is not JSON: {error}", param_hint="--filters") from error
    with settings().api() as api:
        shown(api.post(at("webhooks", webhook_id, "subscriptions"), document, keyed=True))


@subscriptions.command("remove")
@WEBHOOK
@_SUBSCRIPTION
@everywhere
def remove_subscription(webhook_id: str, subscription_id: str) -> None:
    """Remove one. What waits for it is still sent."""
    with settings().api() as api:
        api.delete(at("webhooks", webhook_id, "subscriptions", subscription_id))
    said(f"{subscription_id} is removed.")
