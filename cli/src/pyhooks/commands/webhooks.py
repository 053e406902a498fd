"""`pyhooks webhooks`."""

import click

from pyhooks.api import Json, at
from pyhooks.commands.completing import event_types, webhook_ids
from pyhooks.commands.samples import sample
from pyhooks.errors import DoesNotFit
from pyhooks.options import everywhere, settings
from pyhooks.output import as_json, listed, said, shown

WEBHOOK = click.argument("webhook_id", metavar="WEBHOOK", shell_complete=webhook_ids)
LIMIT = click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")


@click.group
def webhooks() -> None:
    """Where events are sent, or read."""


@webhooks.command("list")
@click.option("--status", help="active, paused, inactive or failed.")
@click.option("--search", metavar="TEXT", help="In name or URL.")
@LIMIT
@everywhere
def list_webhooks(status: str | None, search: str | None, limit: int) -> None:
    """List webhooks."""
    with settings().api() as api:
        found = api.items("webhooks", limit, status=status, q=search)
        listed(found, ["id", "name", "kind", "status", "url"], nothing="There are none.")


@webhooks.command("show")
@WEBHOOK
@everywhere
def show_webhook(webhook_id: str) -> None:
    """Show one."""
    with settings().api() as api:
        shown(api.get(at("webhooks", webhook_id)))


@webhooks.command("create")
@click.argument("receiver", metavar="[RECEIVER_URL]", required=False)
@click.option("--name", required=True, help="For people.")
@click.option(
    "--event-type", "-e", "types", multiple=True, shell_complete=event_types, help="Such as record.*; repeatable."
)
@click.option("--description", help="For people.")
@click.option("--workspace", metavar="ID", help="Of this workspace; your own without it.")
@click.option("--rate-limit", type=float, metavar="N", help="Deliveries a second at most.")
@everywhere
def create_webhook(
    receiver: str | None,
    name: str,
    types: tuple[str, ...],
    description: str | None,
    workspace: str | None,
    rate_limit: float | None,
) -> None:
    """Make one: events are sent to RECEIVER_URL; without it they are kept to be read (kind pull).

    Prints the signing secret, only this once.
    """
    document: Json = {
        "name": name,
        **({"url": receiver} if receiver else {"kind": "pull"}),
        "description": description,
        "workspace_id": workspace,
        "rate_limit_rps": rate_limit,
        "subscriptions": [{"event_type": each} for each in types],
    }
    with settings().api() as api:
        shown(api.post("webhooks", {name: value for name, value in document.items() if value is not None}, keyed=True))


@webhooks.command("update")
@WEBHOOK
@click.option("--name", help="For people.")
@click.option("--receiver-url", "url", help="Where events are sent.")
@click.option("--description", help="For people.")
@click.option("--status", help="active, paused or inactive.")
@click.option("--max-retries", type=int, help="After the first attempt.")
@click.option("--timeout", "timeout_seconds", type=int, help="Seconds for an attempt.")
@click.option("--rate-limit", "rate_limit_rps", type=float, help="Deliveries a second at most.")
@everywhere
def update_webhook(webhook_id: str, **fields: object) -> None:
    """Change what is given, and nothing else."""
    changes = {name: value for name, value in fields.items() if value is not None}
    if not changes:
        raise click.UsageError("What shall be changed? See --help.")
    with settings().api() as api:
        shown(api.put(at("webhooks", webhook_id), changes))


@webhooks.command("delete")
@WEBHOOK
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@everywhere
def delete_webhook(webhook_id: str, yes: bool) -> None:
    """Delete one, with its subscriptions."""
    with settings().api() as api:
        found = api.get(at("webhooks", webhook_id))
        if not yes:
            click.confirm(f"Delete {found.get('name')!r} ({webhook_id})?", abort=True, err=True)
        api.delete(at("webhooks", webhook_id))
    said(f"{webhook_id} is deleted.")


@webhooks.command("test")
@WEBHOOK
@click.option("--event-type", "-e", shell_complete=event_types, help="Send a sample of this type. [webhook.test]")
@everywhere
def test_webhook(webhook_id: str, event_type: str | None) -> None:
    """Send a test delivery, and show what the receiver answers. Exit code 7 where that is no 2xx."""
    document = {"event_type": event_type, "data": sample(event_type)["data"]} if event_type else {}
    with settings().api() as api:
        result = api.post(at("webhooks", webhook_id, "test"), document)
    if settings().json:
        as_json(result)
    else:
        told = ("succeeded", "status_code", "error_code", "error_message", "remark", "duration_ms", "delivery_id")
        shown({name: result[name] for name in told if result.get(name) is not None})
    if not result.get("succeeded"):
        raise DoesNotFit("The test delivery failed.")


@webhooks.command("rotate-secret")
@WEBHOOK
@everywhere
def rotate_secret(webhook_id: str) -> None:
    """Make a new signing secret, and print it, only this once. The former one is valid for a while."""
    with settings().api() as api:
        shown(api.post(at("webhooks", webhook_id, "regenerate-secret"), {}, keyed=True))


@webhooks.command("health")
@WEBHOOK
@everywhere
def webhook_health(webhook_id: str) -> None:
    """Show whether its deliveries arrive, and why not."""
    with settings().api() as api:
        shown(api.get(at("webhooks", webhook_id, "health")))
