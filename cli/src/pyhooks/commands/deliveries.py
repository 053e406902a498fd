"""`pyhooks deliveries`."""

import click

from pyhooks.api import at
from pyhooks.commands.completing import event_types, webhook_ids
from pyhooks.commands.webhooks import LIMIT, WEBHOOK
from pyhooks.options import everywhere, settings
from pyhooks.output import listed, said, shown

COLUMNS = ["id", "webhook_id", "event_type", "status", ("attempt_count", "attempts"), ("last_status_code", "answer"),
           ("last_error_code", "error"), "created_at"]  # fmt: skip
_DELIVERY = click.argument("delivery_id", metavar="DELIVERY")


@click.group
def deliveries() -> None:
    """What was sent to webhooks, attempt by attempt."""


@deliveries.command("list")
@click.option("--webhook", metavar="ID", shell_complete=webhook_ids, help="Of this one; of all without it.")
@click.option("--status", help="pending, retrying, delivered, failed or abandoned.")
@click.option("--event-type", "-e", shell_complete=event_types, help="Of this type.")
@click.option("--status-code", type=int, help="Whose last answer had this status.")
@click.option("--from", "from_", metavar="TIME", help="Made then or later (RFC 3339).")
@click.option("--to", metavar="TIME", help="Made before.")
@LIMIT
@everywhere
def list_deliveries(webhook: str | None, from_: str | None, limit: int, **wanted: object) -> None:
    """List deliveries, newest first."""
    path = at("webhooks", webhook, "deliveries") if webhook else "deliveries"
    with settings().api() as api:
        listed(api.items(path, limit, **wanted, **{"from": from_}), COLUMNS, nothing="There are none.")


@deliveries.command("show")
@WEBHOOK
@_DELIVERY
@everywhere
def show_delivery(webhook_id: str, delivery_id: str) -> None:
    """Show one with its attempts."""
    with settings().api() as api:
        found = api.get(at("webhooks", webhook_id, "deliveries", delivery_id))
    if settings().json:
        shown(found)
        return
    shown({name: value for name, value in found.items() if name != "attempts"})
    columns = ["number", "outcome", "started_at", "duration_ms", "status_code", "error_code", "explanation"]
    listed(found["attempts"], columns, nothing="There was no attempt.")


@deliveries.command("retry")
@WEBHOOK
@_DELIVERY
@everywhere
def retry_delivery(webhook_id: str, delivery_id: str) -> None:
    """Send one again, whatever became of it."""
    with settings().api() as api:
        api.post(at("webhooks", webhook_id, "deliveries", delivery_id, "retry"))
    said(f"{delivery_id} is sent again.")
