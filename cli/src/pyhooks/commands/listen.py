"""`pyhooks listen`."""

import platform
import re
import signal
import time

import click

from pyhooks.api import Api, Json
from pyhooks.commands.completing import event_types, webhook_ids
from pyhooks.listening.receiver import LocalReceiver, Reply
from pyhooks.options import everywhere, settings
from pyhooks.output import as_json, plain, said

_SAY_AGAIN_SECONDS = 30.0
_SKEW_SECONDS = 60


@click.command
@click.option(
    "--forward-to", "-f", metavar="URL", required=True, help="Where events go: 3000, localhost:3000/hook, a URL."
)
@click.option(
    "--event-type", "-e", "types", multiple=True, shell_complete=event_types, help="Such as record.*; repeatable. [all]"
)
@click.option(
    "--name", metavar="NAME", help="Who listens: each name has a webhook, and gets all events. [this machine's]"
)
@click.option("--workspace", metavar="ID", help="Listen to a workspace's events, not to your own.")
@click.option(
    "--webhook", metavar="ID", shell_complete=webhook_ids, help="Read this pull webhook, and leave it as it is."
)
@click.option("--from-now", is_flag=True, help="Leave out what came while nobody listened.")
@click.option("--retry-errors", is_flag=True, help="Send an event again until the answer is 2xx. [until there is one]")
@click.option(
    "--timeout", type=click.FloatRange(0.1, 3600), default=30.0, show_default=True, help="Seconds for an answer."
)
@click.option("--print-secret", is_flag=True, help="Show the secret that signatures are checked with.")
@click.option("--new-secret", is_flag=True, help="Give the webhook a new secret, and keep it here.")
@everywhere
def listen(
    forward_to: str,
    types: tuple[str, ...],
    name: str | None,
    workspace: str | None,
    webhook: str | None,
    from_now: bool,
    retry_errors: bool,
    timeout: float,
    print_secret: bool,
    new_secret: bool,
) -> None:
    """Send events on to a program of this machine.

    Reads them from a pull webhook, which it makes: there is no relay, no open port and no public address. Each event is
    sent with the headers of a delivery, signatures included. What the program has answered is done with; while it is
    down, events wait, and so they do while nobody listens. Ctrl-C ends it.
    """
    from pyhooks.listening.claim import Claim
    from pyhooks.listening.reader import Listener
    from pyhooks.listening.webhook import existing, take_up
    from pyhooks.profiles import secrets

    if webhook and (types or workspace):
        raise click.UsageError("--webhook reads a webhook as it is: leave --event-type and --workspace out.")
    name = name or _machine()
    if not re.fullmatch("[A-Za-z0-9_-]{1,64}", name):
        raise click.BadParameter("must be 1 to 64 of A-Z a-z 0-9 _ -", param_hint="--name")
    receiver = LocalReceiver.at(forward_to, timeout)
    login = settings().login()
    for end in (signal.SIGINT, signal.SIGTERM):  # a shell that starts it in the background ignores the first
        signal.signal(end, signal.default_int_handler)
    with Api(login.url, login.token) as setup, Api(login.url, login.token, retries=0) as api:
        kept = secrets()
        chosen = (
            existing(setup, kept, webhook, new_secret=new_secret)
            if webhook
            else take_up(setup, kept, name, types or ["*"], workspace, new_secret=new_secret)
        )
        with Claim(login.url, chosen.webhook_id, name) as claim:
            present = setup.call("GET", f"webhooks/{chosen.webhook_id}/consumers")
            server_clock = present.server_clock or time.time()
            mine: list[Json] = [each for each in present.json["items"] if each["name"] == name]
            claim.check(mine[0]["committed_at"] if mine else None, server_clock)
            types_told = ", ".join(chosen.types) or "nothing: it has no subscription"
            said(f"Listening to {chosen.webhook_id} ({types_told}) as {name}")
            said(f"Sending on to {receiver.url}")
            if abs(server_clock - time.time()) > _SKEW_SECONDS:
                said(f"This clock is {abs(server_clock - time.time()):.0f} s off: receivers may refuse signatures.")
            if chosen.secret is None:
                said("The webhook's secret is not known here, so signatures are not checked. --new-secret makes one.")
            elif print_secret or new_secret or chosen.is_new:
                said(f"Signing secret, for the program: {chosen.secret}")
            said("Ready. Ctrl-C ends it.")
            screen = _Lines(is_json=settings().json)
            listener = Listener(
                api=api, webhook_id=chosen.webhook_id, consumer=name, secret=chosen.secret, receiver=receiver,
                claim=claim, screen=screen, retry_errors=retry_errors,
            )  # fmt: skip
            try:
                if from_now:
                    listener.skip(server_clock)
                listener.run()
            except KeyboardInterrupt:
                pass
            finally:
                receiver.close()
                tally = listener.tally
                others = f", {tally.bad} with something else" if tally.bad else ""
                empty = f", {tally.empty} without a payload" if tally.empty else ""
                said(f"\n{tally.good} events were answered with 2xx{others}{empty}. What comes from now on waits.")


class _Lines:
    """One line for each event, and one when something begins or ends to be wrong."""

    def __init__(self, *, is_json: bool) -> None:
        self._is_json = is_json
        self._since: dict[str, tuple[float, float]] = {}  # began, last said

    def event(self, item: Json, reply: Reply | None) -> None:
        """As Screen has it."""
        status = None if reply is None else reply.status
        if self._is_json:
            taken = None if reply is None else round(reply.duration_ms)
            names = ("event_id", "event_type", "delivery_id", "recorded_at", "missing")
            as_json({each: item.get(each) for each in names} | {"status": status, "duration_ms": taken}, line=True)
            return
        told = f"{status}  {reply.duration_ms:6.0f} ms" if reply else f"has no payload any more ({item.get('missing')})"
        colour = "yellow" if reply is None else "green" if reply.is_good else "red"
        event_type, event_id = plain(item["event_type"]), plain(item["event_id"])
        click.echo(f"{time.strftime('%H:%M:%S')}  {event_type:24} {event_id}  {click.style(told, fg=colour)}")

    def trouble(self, what: str, why: str) -> None:
        """As Screen has it."""
        now = time.monotonic()
        began, last = self._since.get(what, (now, -_SAY_AGAIN_SECONDS))
        if now - last >= _SAY_AGAIN_SECONDS:
            said(
                f"{time.strftime('%H:%M:%S')}  {what}: {why.removeprefix(f'No answer from {what}: ')}; trying again ..."
            )
            last = now
        self._since[what] = (began, last)

    def back(self, what: str) -> None:
        """As Screen has it."""
        if what in self._since:
            began, _ = self._since.pop(what)
            said(f"{time.strftime('%H:%M:%S')}  {what} is back after {time.monotonic() - began:.0f} s")


def _machine() -> str:
    return re.sub("[^A-Za-z0-9_-]", "-", platform.node().partition(".")[0])[:64] or "default"
