#!/usr/bin/env python3
"""Import webhooks and their subscriptions from an export of the former service's tables.

  psql ... -c "\\copy webhooks TO webhooks.csv CSV HEADER"
  psql ... -c "\\copy webhook_subscriptions TO subscriptions.csv CSV HEADER"
  python scripts/import_webhooks.py webhooks.csv subscriptions.csv --dry-run
  JWT_SECRET=... python scripts/import_webhooks.py webhooks.csv subscriptions.csv --url https://.../prod

Each file is CSV with a header line, or JSON: a list of objects, or one object with the lists "webhooks" and
"webhook_subscriptions". The column `secret` must hold secrets in plain: decrypt them in the export. An empty one gets
a new secret, which the results file shows. A webhook goes in with all its subscriptions or not at all.

Whose webhooks: with --token (or TOKEN in the environment) those of that token's user. With JWT_SECRET in the
environment, the secret that the service checks tokens with, everybody's: a token is made for each owner.

Repeating an import is harmless: webhooks in the results file are skipped, and within a day the service itself knows a
repeated one. The exit status is 0 when everything is in, 1 when rows were refused, 2 when nothing could be done.
"""

import argparse
import csv
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jwt
from importing.client import Accepted, Service, ServiceError
from importing.tables import FormerWebhook, Refusal, UnreadableExport, read_export
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress

from webhooks.access.tokens import mint
from webhooks.egress.policy import EgressPolicy, check_url
from webhooks.errors import Invalid, WebhooksError
from webhooks.event_types import DEFAULT_EVENT_TYPES
from webhooks.management.requests import WebhookRequest
from webhooks.management.subscriptions import check_amount, new_subscription
from webhooks.request.headers import check_custom_headers
from webhooks.request.signing import check_secret

if TYPE_CHECKING:
    from webhooks.models.subscription import Subscription

RESULT_COLUMNS = ("former_id", "id", "user_id", "name", "url", "new_secret")
SCOPES = ("webhooks",)


class Usage(Exception):
    """The command cannot be carried out as given."""


class AnothersToken(Exception):
    """The token that was given is not the owner's."""


class Owners:
    """Tokens by owner: the one that was given, or one made for each."""

    def __init__(self, token: str | None, secret: str | None, issuer: str, audience: str) -> None:
        if not token and not secret:
            raise Usage("Who imports? Give --token, or JWT_SECRET in the environment; or look first with --dry-run.")
        self._token = token
        self._secret = secret or ""
        self._issuer = issuer
        self._audience = audience
        self._subject = "" if token is None else _subject_of(token)

    def token(self, owner: str, workspace_ids: Sequence[str]) -> str:
        """A token that may register the owner's webhooks. Raises AnothersToken."""
        if self._token is None:
            return mint(
                self._secret, owner, SCOPES, sorted(workspace_ids), issuer=self._issuer, audience=self._audience
            )
        if owner != self._subject:
            raise AnothersToken(f"belongs to user {owner}, and the token is user {self._subject}'s")
        return self._token


class Results:
    """The table from former ids to new ones, written as the import goes on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.done: dict[str, str] = {}
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                self.done = {row["former_id"]: row["id"] for row in csv.DictReader(file)}

    def add(self, webhook: FormerWebhook, accepted: Accepted) -> None:
        """Append a line; the file is its owner's alone, since it may hold secrets."""
        is_new = not self._path.exists()
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(RESULT_COLUMNS)
            new_secret = "" if webhook.request.get("secret") else accepted.secret or ""
            request = webhook.request
            row = (webhook.former_id, accepted.webhook_id, webhook.owner, request["name"], request["url"], new_secret)
            writer.writerow(row)
        self.done[webhook.former_id] = accepted.webhook_id


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; see the exit status above."""
    given = _parser().parse_args(arguments)
    console = Console(stderr=False, highlight=False, markup=False, soft_wrap=True)
    try:
        webhooks, refusals = read_export([path for path in (given.webhooks, given.subscriptions) if path])
        results = Results(given.results)
        waiting = [webhook for webhook in webhooks if webhook.former_id not in results.done]
        if len(waiting) < len(webhooks):
            console.print(f"{len(webhooks) - len(waiting)} webhooks stand in {given.results} already: skipped")
        if given.dry_run:
            refusals += _rehearse(waiting)
        else:
            refusals += _import(waiting, given, results, console)
    except (Usage, UnreadableExport, ServiceError) as error:
        print(error, file=sys.stderr)
        return 2
    _report(console, waiting, refusals, "would be imported" if given.dry_run else "imported")
    if not given.dry_run and results.done:
        console.print(f"Former and new ids: {given.results}")
    return 1 if refusals else 0


def _import(
    webhooks: Sequence[FormerWebhook], given: argparse.Namespace, results: Results, console: Console
) -> list[Refusal]:
    if not given.url:
        raise Usage("Where to? Give --url, such as https://abc123.execute-api.eu-central-1.amazonaws.com/prod")
    owners = Owners(
        given.token or os.environ.get("TOKEN"), os.environ.get("JWT_SECRET"), given.jwt_issuer, given.jwt_audience
    )
    workspaces: dict[str, set[str]] = {}
    for webhook in webhooks:
        workspaces.setdefault(webhook.owner, set()).update(webhook.workspace_ids)
    refusals: list[Refusal] = []
    with Service(given.url) as service, Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("importing", total=len(webhooks))
        for webhook in webhooks:
            try:
                token = owners.token(webhook.owner, sorted(workspaces[webhook.owner]))
            except AnothersToken as error:
                refusals.append(webhook.refused(str(error)))
            else:
                outcome = service.register(webhook, token)
                if isinstance(outcome, Accepted):
                    results.add(webhook, outcome)
                    console.print(f"{webhook.label} -> {outcome.webhook_id}")
                else:
                    refusals += outcome
                    console.print(f"{webhook.label} refused")
            progress.advance(task)
    return refusals


def _rehearse(webhooks: Sequence[FormerWebhook]) -> list[Refusal]:
    """What the service would refuse, as far as its rules can be applied here, with the template's defaults."""
    return [webhook.refused(reason, field) for webhook in webhooks for field, reason in _faults(webhook)]


def _faults(webhook: FormerWebhook) -> Iterator[tuple[str, str]]:
    """(field, reason) as the service would name them."""
    try:
        request = WebhookRequest.model_validate(webhook.request)
    except ValidationError as error:
        for fault in error.errors():
            yield ".".join(map(str, fault["loc"])), fault["msg"]
        return
    policy = EgressPolicy.from_texts(ports="443,8443", allow_http=False, networks=(), own_hosts=())
    yield from _refused(lambda: check_url(request.url or "", policy))
    yield from _refused(lambda: check_secret(request.secret) if request.secret else None)
    yield from _refused(lambda: check_custom_headers(request.headers, prefix="X-PyAirtable"))
    subscriptions: list[Subscription] = []
    for position, each in enumerate(request.subscriptions):
        at = f"subscriptions.{position}."
        yield from _refused(
            lambda each=each, at=at: subscriptions.append(new_subscription("", each, DEFAULT_EVENT_TYPES, 0, at=at))
        )
    yield from _refused(lambda: check_amount(subscriptions))


def _refused(check: Callable[[], object]) -> list[tuple[str, str]]:
    try:
        check()
    except Invalid as error:
        return [(fault.field, fault.message) for fault in error.field_errors]
    except WebhooksError as error:
        return [("", str(error))]
    return []


def _report(console: Console, webhooks: Sequence[FormerWebhook], refusals: Sequence[Refusal], done: str) -> None:
    refused = {refusal.former_id for refusal in refusals}
    good = [webhook for webhook in webhooks if webhook.former_id not in refused]
    subscriptions = sum(len(webhook.request["subscriptions"]) for webhook in good)
    console.print(f"\n{len(good)} of {len(webhooks)} webhooks {done}, with {subscriptions} subscriptions")
    for webhook in good:
        for note in webhook.notes:
            console.print(f"  {webhook.label}: {note}")
    if refusals:
        console.print(f"\n{len(refusals)} reasons for refusal:")
        for refusal in refusals:
            console.print(f"  {refusal.place}: {refusal.reason}")


def _subject_of(token: str) -> str:
    try:
        return str(jwt.decode(token, options={"verify_signature": False})["sub"])
    except (jwt.PyJWTError, KeyError) as error:
        raise Usage("--token is no JWT with a sub") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("webhooks", type=Path, help="export of the table webhooks (or of both, as JSON)")
    parser.add_argument("subscriptions", type=Path, nargs="?", help="export of the table webhook_subscriptions")
    parser.add_argument("--url", help="the API's base URL, as the stack's output BaseUrl has it")
    parser.add_argument("--token", help="a JWT with the scope webhooks (better: TOKEN in the environment)")
    parser.add_argument("--dry-run", action="store_true", help="send nothing; tell what would be refused")
    parser.add_argument("--results", type=Path, default=Path("import-results.csv"), help="default: %(default)s")
    parser.add_argument("--jwt-issuer", default="pyairtable", help="iss of the tokens made; default: %(default)s")
    parser.add_argument("--jwt-audience", default="pyairtable-webhooks", help="aud of them; default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
