"""`pyhooks verify`."""

import os
import sys
import time
from typing import BinaryIO, cast

import click

from pyhooks.api import Json, at
from pyhooks.errors import NotFound
from pyhooks.options import everywhere, settings
from pyhooks.output import as_json, said

SECRET = "PYHOOKS_SECRET"  # noqa: S105 - a variable's name


@click.command("verify")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--webhook", metavar="ID", help="Take the secret that `listen` keeps, or the webhook's public key.")
@click.option("--any-age", is_flag=True, help="Do not look at the timestamp.")
@everywhere
def verify_request(file: BinaryIO, webhook: str | None, any_age: bool) -> None:
    """Check the signature of a request.

    It is in FILE, or pasted: its header lines, an empty line and the body, or JSON with `headers` and `body`. The
    secret is asked for, or taken from PYHOOKS_SECRET. Exit code 7 where no signature fits; it says why.
    """
    from pyhooks.verifying import pasted, verify

    if file is sys.stdin.buffer and sys.stdin.isatty():
        said("Paste the request; Ctrl-D ends it.")
    request = pasted(file.read())
    fits = verify(request, _secret(webhook), None if any_age else time.time())
    if settings().json:
        as_json({"valid": True, "signature": fits})
    else:
        click.echo(f"{fits} fits.")


def _secret(webhook: str | None) -> str:
    if webhook:
        from pyhooks.listening.webhook import secret_name
        from pyhooks.profiles import secrets

        with settings().api() as api:
            kept = secrets().get(secret_name(api, webhook))
            found = {} if kept else api.get(at("webhooks", webhook))
        keys = cast("list[Json]", found.get("public_keys") or [])
        if not kept and not keys:
            raise NotFound(f"No secret of {webhook} is kept here: set {SECRET}.")
        return kept or str(keys[-1]["key"])
    given = os.environ.get(SECRET)
    if not given and not sys.stdin.isatty():
        raise click.UsageError(f"With which secret? Set {SECRET}, or name a --webhook that `listen` reads.")
    return (given or str(click.prompt("Signing secret", hide_input=True))).strip()
