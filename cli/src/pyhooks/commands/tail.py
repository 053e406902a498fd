"""`pyhooks tail`."""

import time

import click

from pyhooks.api import Json, at
from pyhooks.commands.completing import event_types, webhook_ids
from pyhooks.errors import Failed, NoConnection
from pyhooks.options import everywhere, settings
from pyhooks.output import as_json, plain, said

_COLOURS = {"delivered": "green", "failed": "red", "abandoned": "red", "retrying": "yellow"}
_REMEMBERED = 10_000
_LOOKED_AT = 200  # of the newest, each time


@click.command
@click.option("--webhook", metavar="ID", shell_complete=webhook_ids, help="Of this one; of all without it.")
@click.option("--status", help="Only these: pending, retrying, delivered, failed or abandoned.")
@click.option("--event-type", "-e", shell_complete=event_types, help="Of this type.")
@click.option(
    "--last", type=click.IntRange(0, 200), default=10, show_default=True, help="Begin with so many that were there."
)
@click.option(
    "--every", type=click.FloatRange(0.5, 60), default=2.0, show_default=True, help="Seconds between two looks."
)
@everywhere
def tail(webhook: str | None, last: int, every: float, **wanted: str | None) -> None:
    """Show deliveries as they come and change, until Ctrl-C. Of many at once the newest 200 of a look are shown."""
    path = at("webhooks", webhook, "deliveries") if webhook else "deliveries"
    seen: dict[str, object] = {}
    most, is_gone = last, False
    with settings().api(retries=0) as api:
        try:
            while True:
                try:
                    found = list(api.items(path, max(most, 1), **wanted))
                except (Failed, NoConnection) as error:
                    if not is_gone:
                        said(f"{error.message}; trying again ...")
                    is_gone = True
                else:
                    is_gone = False
                    for each in reversed(found):
                        state = (each["status"], each.get("attempt_count"))
                        if seen.pop(str(each["id"]), None) != state and most:
                            _show(each)
                        seen[str(each["id"])] = state
                    for old in list(seen)[: max(0, len(seen) - _REMEMBERED)]:
                        del seen[old]
                    most = _LOOKED_AT
                time.sleep(every)
        except KeyboardInterrupt:
            said("")


def _show(delivery: Json) -> None:
    if settings().json:
        as_json(delivery, line=True)
        return
    status = plain(delivery["status"])
    answer = delivery.get("last_status_code") or delivery.get("last_error_code")
    at_time = str(delivery.get("last_attempt_at") or delivery["created_at"])[11:19]
    ids = f"{plain(delivery['webhook_id'])}  {plain(delivery['id'])}"
    told = click.style(f"{status:10}", fg=_COLOURS.get(status))
    click.echo(f"{at_time}  {plain(delivery['event_type']):24}{ids}  {told}{plain(answer)}")
