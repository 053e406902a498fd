"""`pyhooks events`."""

import click

from pyhooks.api import at
from pyhooks.commands.completing import event_types
from pyhooks.commands.webhooks import LIMIT
from pyhooks.options import everywhere, settings
from pyhooks.output import listed, shown


@click.group
def events() -> None:
    """What was published."""


@events.command("list")
@click.option("--event-type", "-e", shell_complete=event_types, help="Of this type.")
@click.option("--resource", "resource_id", metavar="ID", help="About this.")
@click.option("--workspace", "workspace_id", metavar="ID", help="Of this workspace.")
@click.option("--from", "from_", metavar="TIME", help="Accepted then or later (RFC 3339).")
@click.option("--to", metavar="TIME", help="Accepted before.")
@LIMIT
@everywhere
def list_events(from_: str | None, limit: int, **wanted: str | None) -> None:
    """List events, newest first, where the deployment lists them (ListEvents)."""
    with settings().api() as api:
        found = api.items("events", limit, **wanted, **{"from": from_})
        listed(found, ["id", "type", "resource_id", "disposition", "accepted_at"], nothing="There are none.")


@events.command("show")
@click.argument("event_id", metavar="EVENT")
@everywhere
def show_event(event_id: str) -> None:
    """Show what became of an event, webhook by webhook."""
    with settings().api() as api:
        found = api.get(at("events", event_id))
    if settings().json:
        shown(found)
        return
    shown({name: value for name, value in found.items() if name not in ("webhooks", "next_cursor")})
    columns = ["webhook_id", ("webhook_name", "webhook"), "status", "explanation", "attempt_count"]
    listed(found.get("webhooks", []), columns, nothing="No webhook was there for it.")


@events.command("types")
@everywhere
def list_types() -> None:
    """List event types."""
    with settings().api() as api:
        listed(api.get("event-types")["items"], ["name", "description"], nothing="There are none.")


@events.command("erase")
@click.argument("event_id", metavar="EVENT")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@everywhere
def erase_event(event_id: str, yes: bool) -> None:
    """Erase an event's payload, and keep its record."""
    if not yes:
        click.confirm(f"Erase the payload of {event_id}?", abort=True, err=True)
    with settings().api() as api:
        api.delete(at("events", event_id))
