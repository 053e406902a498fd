"""`pyhooks doctor`."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any, cast

import click

from pyhooks.api import Api, at, own_version
from pyhooks.commands.auth import check
from pyhooks.errors import DoesNotFit, NotFound, NotLoggedIn, PyhooksError, Refused
from pyhooks.options import everywhere, settings
from pyhooks.output import as_json, plain

_SKEW_SECONDS = 60
_NOBODY = "wh_doctor"  # a webhook that is not there: asking for it changes nothing


@click.command
@everywhere
def doctor() -> None:
    """Say what is wrong with connection, key or clock.

    Changes nothing. Exit code 7 where something is wrong.
    """
    found: list[tuple[str, str, str]] = []  # good, bad or told; what; how it is
    try:
        _examine(lambda state, what, told: found.append((state, what, told)))
    finally:
        if settings().json:
            as_json({"items": [{"state": state, "check": what, "told": told} for state, what, told in found]})
        else:
            marks = {"good": ("ok", "green"), "bad": ("!!", "red"), "told": ("  ", None)}
            for state, what, told in found:
                mark, colour = marks[state]
                click.echo(f"{click.style(mark, fg=colour)}  {what:14}{plain(told)}")
    if any(state == "bad" for state, _, _ in found):
        raise DoesNotFit("Not all is well.")


def _examine(tell: Callable[[str, str, str], object]) -> None:
    tell("told", "pyhooks", own_version())
    login = settings().login()
    source = f"profile {login.profile.name}" if login.profile else "PYHOOKS_TOKEN"
    tell("told", "service", f"{login.url} (key of {source})")
    with Api(login.url, login.token, retries=1) as api:
        started = time.time()
        try:
            health = api.call("GET", f"{login.url}/health")
        except PyhooksError as error:
            tell("bad", "connection", error.message)
            return
        tell("good", "connection", f"answers in {(time.time() - started) * 1000:.0f} ms")
        if health.server_clock is not None:
            off = time.time() - health.server_clock
            state = "bad" if abs(off) > _SKEW_SECONDS else "good"
            exact = "within 2 s" if abs(off) < 2 else f"{abs(off):.0f} s {'ahead' if off > 0 else 'behind'}"
            tell(state, "clock", exact if state == "good" else f"{exact}: receivers refuse what is 300 s off. Set it.")
        try:
            check(api)
        except PyhooksError as error:
            tell("bad", "key", f"{error.message} {_expiry(login.token)}".strip())
            return
        tell("good", "key", f"valid. {_expiry(login.token)}".strip())
        for what, call in _rights(api).items():
            try:
                allowed = _allowed(call)
            except PyhooksError as error:
                tell("bad", what, error.message)
            else:
                tell("good" if allowed else "told", what, "allowed" if allowed else "not allowed")
        try:
            api.get(at("webhooks", _NOBODY, "consumers"))
        except NotFound as error:
            has_pull = "older than this command" not in error.message
            tell(
                "good" if has_pull else "told",
                "listen",
                "there" if has_pull else "the service has no pull webhooks yet",
            )
        except PyhooksError:
            tell("told", "listen", "takes the right to read")


def _rights(api: Api) -> dict[str, Callable[[], object]]:
    """A call for each that does nothing, whoever may make it."""
    return {
        "read": lambda: api.get("event-types"),
        "change": lambda: api.delete(at("webhooks", _NOBODY, "consumers", "doctor")),
        "publish": lambda: api.post("events", []),
    }


def _allowed(call: Callable[[], object]) -> bool:
    try:
        call()
    except NotLoggedIn:
        return False
    except (NotFound, Refused):  # it got beyond the question who asks
        pass
    return True


def _expiry(token: str) -> str:
    """When a token ends, which an API key does not say."""
    parts = token.split(".")
    if len(parts) != 3:
        return ""
    try:
        claims = cast("dict[str, Any]", json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))))
        left = float(claims["exp"]) - time.time()
    except (ValueError, KeyError, TypeError):
        return ""
    if left <= 0:
        return f"It ended {-left / 60:.0f} min ago."
    return f"It ends in {left / 3600:.1f} h." if left > 5400 else f"It ends in {left / 60:.0f} min."
