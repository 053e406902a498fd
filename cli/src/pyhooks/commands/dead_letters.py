"""`pyhooks dead-letters`."""

import click

from pyhooks.api import Json, at
from pyhooks.commands.completing import event_types, webhook_ids
from pyhooks.commands.webhooks import LIMIT
from pyhooks.options import everywhere, settings
from pyhooks.output import listed

_WEBHOOK = click.option("--webhook", metavar="ID", shell_complete=webhook_ids, help="Of this one; of all without it.")
_FROM = click.option("--from", "from_", metavar="TIME", help="Given up then or later (RFC 3339).")
_TO = click.option("--to", metavar="TIME", help="Given up before.")


@click.group("dead-letters")
def dead_letters() -> None:
    """Deliveries that were given up. `pyhooks replay` sends them again."""


@dead_letters.command("list")
@_WEBHOOK
@click.option("--event-type", "-e", shell_complete=event_types, help="Of this type.")
@click.option("--reason", help="A cause, as `groups` has it.")
@click.option("--all", "everything", is_flag=True, help="With those that were sent again.")
@_FROM
@_TO
@LIMIT
@everywhere
def list_dead_letters(
    webhook: str | None, everything: bool, from_: str | None, limit: int, **wanted: str | None
) -> None:
    """List dead letters, newest first."""
    path = at("webhooks", webhook, "dead-letters") if webhook else "dead-letters"
    processed = None if everything else "false"
    columns = ["id", "webhook_id", "event_type", "cause", ("attempt_count", "attempts"), ("is_processed", "replayed"),
               "created_at"]  # fmt: skip
    with settings().api() as api:
        found = api.items(path, limit, **wanted, is_processed=processed, **{"from": from_})
        listed(found, columns, nothing="There are none.")


@dead_letters.command("groups")
@_WEBHOOK
@_FROM
@_TO
@everywhere
def group_dead_letters(webhook: str | None, from_: str | None, to: str | None) -> None:
    """Group what was given up by cause."""
    path = at("webhooks", webhook, "failures") if webhook else "dead-letters/groups"
    found: list[Json] = []
    params: dict[str, object] = {"from": from_, "to": to}
    with settings().api() as api:
        while True:
            page = api.get(path, **params)
            found += page.get("items", [])
            params["cursor"] = page.get("next_cursor")
            if params["cursor"] is None:
                break
    listed(
        found, ["webhook_id", "cause", "explanation", "count", "dead_letters", "last_seen"], nothing="There are none."
    )
