"""`pyhooks replay` and `pyhooks replays`."""

import sys
import time

import click

from pyhooks.api import Api, Json, at
from pyhooks.commands.completing import event_types, webhook_ids
from pyhooks.commands.webhooks import LIMIT
from pyhooks.errors import Failed
from pyhooks.options import everywhere, settings
from pyhooks.output import listed, said, shown

_OVER = ("completed", "failed", "cancelled")
_LOOK_SECONDS = 1.0
_ID = click.argument("replay_id", metavar="REPLAY")


@click.command
@click.argument("webhook_id", metavar="[WEBHOOK]", required=False, shell_complete=webhook_ids)
@click.argument("dead_letters", metavar="[DEAD_LETTER]...", nargs=-1)
@click.option("--all", "of_all", is_flag=True, help="Dead letters of all your webhooks.")
@click.option("--missed", is_flag=True, help="Also what it missed while it was inactive or disabled; takes --from.")
@click.option("--reason", help="Given up for this cause (pyhooks dead-letters groups).")
@click.option("--event-type", "-e", shell_complete=event_types, help="Of this type.")
@click.option("--from", "from_", metavar="TIME", help="Since then (RFC 3339).")
@click.option("--to", metavar="TIME", help="Until then.")
@click.option("--rate", type=float, metavar="N", help="Deliveries a second.")
@click.option("--dry-run", is_flag=True, help="Only tell how many; with --all or --missed.")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is done.")
@everywhere
def replay(
    webhook_id: str | None,
    dead_letters: tuple[str, ...],
    of_all: bool,
    missed: bool,
    reason: str | None,
    event_type: str | None,
    from_: str | None,
    to: str | None,
    rate: float | None,
    dry_run: bool,
    no_wait: bool,
) -> None:
    """Send dead letters again.

    Those that are named, all of a webhook, or with --all those of all webhooks since --from or with one --reason.

    Ctrl-C stops waiting, not the replay: pyhooks replays cancel does.
    """
    if bool(webhook_id) == of_all:
        raise click.UsageError("Name a webhook, or give --all.")
    if missed and (of_all or dead_letters):
        raise click.UsageError("--missed is of a single webhook, and of all that it missed.")
    if dry_run and not (of_all or missed):
        raise click.UsageError("--dry-run goes with --all or --missed; to see a webhook's: pyhooks dead-letters list")
    document: Json = {
        "ids": list(dead_letters) or None,
        "reason": reason,
        "event_type": event_type,
        "from": from_,
        "to": to,
        "rate_per_second": rate,
        "dry_run": dry_run or None,
    }
    path = (
        "dead-letters/bulk-replay" if of_all
        else at("webhooks", str(webhook_id), "recover") if missed
        else at("webhooks", str(webhook_id), "dead-letters", "bulk-replay")
    )  # fmt: skip
    with settings().api() as api:
        begun = api.post(path, {name: value for name, value in document.items() if value is not None}, keyed=True)
        if dry_run or no_wait:
            shown(begun)
            return
        done = _wait(api, begun)
    shown(done)
    if done.get("status") != "completed":
        raise Failed(f"The replay is {done.get('status')}: {done.get('error') or 'not all was sent again'}.")


@click.group
def replays() -> None:
    """Replays and recoveries, under way and done."""


@replays.command("list")
@click.option("--status", help="pending, running, completed, failed or cancelled.")
@click.option("--webhook", "webhook_id", metavar="ID", shell_complete=webhook_ids, help="Of this one.")
@LIMIT
@everywhere
def list_replays(limit: int, **wanted: str | None) -> None:
    """List them, newest first."""
    columns = ["id", "kind", "status", "webhook_id", "total", "replayed", "skipped", "created_at"]
    with settings().api() as api:
        listed(api.items("replays", limit, **wanted), columns, nothing="There are none.")


@replays.command("show")
@_ID
@everywhere
def show_replay(replay_id: str) -> None:
    """Show how far one has come."""
    with settings().api() as api:
        shown(api.get(at("replays", replay_id)))


@replays.command("cancel")
@_ID
@everywhere
def cancel_replay(replay_id: str) -> None:
    """Stop one. What was sent again stays so."""
    with settings().api() as api:
        shown(api.post(at("replays", replay_id, "cancel")))


def _wait(api: Api, begun: Json) -> Json:
    """Until it is over, with its progress."""
    said(f"Replay {begun['id']} ...")
    with click.progressbar(length=begun.get("total") or 1, label="Sent again", file=sys.stderr) as bar:
        while begun.get("status") not in _OVER:
            time.sleep(_LOOK_SECONDS)
            begun = api.get(at("replays", str(begun["id"])))
            bar.length = max(begun.get("total") or 1, 1)
            bar.update(begun.get("replayed", 0) + begun.get("skipped", 0) - bar.pos)
    return begun
