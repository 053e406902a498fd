"""Secrets planted wherever a user can put one, and looked for wherever they must not be. The stack logs at DEBUG.

Two kinds. A credential (signing secrets, header values, tokens) stands in clear text nowhere: not in logs, not in the
table, not in any answer but the one that shows a new signing secret. What is merely private (payloads, URLs, names,
idempotency keys, what a receiver says) is stored and shown to its owner, and stands in no log.
"""

import base64
import json
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from localstack.stack import LocalStack
from tests.conftest import Figure
from tests.support.receiver import answer
from tests.support.service import Document, Service, User, event, eventually
from webhooks.access.tokens import mint
from webhooks.compression import unpack


@dataclass
class Canaries:
    """Texts that occur nowhere else, by where they were put."""

    planted: dict[str, str] = field(default_factory=dict)

    def new(self, place: str) -> str:
        """Looks like a key, and like nothing that this service makes."""
        self.planted[place] = f"Canary-{uuid.uuid4().hex}"
        return self.planted[place]

    def keep(self, place: str, secret: str) -> str:
        """One that the service made."""
        self.planted[place] = secret
        return secret

    def found_in(self, text: str) -> set[str]:
        """The places whose canary is in the text: as it is, escaped, in base64, in hex."""
        return {place for place, secret in self.planted.items() if any(form in text for form in _forms(secret))}


def _forms(secret: str) -> set[str]:
    raw = secret.encode()
    forms = {secret, raw.hex(), json.dumps(secret)[1:-1]}
    # base64 of a text that has the secret somewhere inside depends on where: three ways, less the uneven ends
    forms |= {base64.b64encode(b"x" * shift + raw)[4 if shift else 0 : -4].decode() for shift in range(3)}
    forms.add(secret.removeprefix("whsec_").rstrip("="))
    return forms


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with (
        LocalStack(parameters={"RetryBaseSeconds": "1", "LogLevel": "DEBUG"}) as running,
        Service.of(running) as made,
    ):
        yield made


@dataclass
class Life:
    """What was planted, and every answer that came back."""

    credentials: Canaries = field(default_factory=Canaries)
    private: Canaries = field(default_factory=Canaries)
    answers: list[str] = field(default_factory=list)
    shown_once: list[str] = field(default_factory=list)

    def note(self, response: httpx.Response) -> httpx.Response:
        response.read()
        self.answers.append(
            f"{response.request.method} {response.request.url.path}\n{response.headers}\n{response.text}"
        )
        return response


@pytest.fixture(scope="module")
def life(service: Service) -> Life:
    """A user's whole life with the service, mistakes included."""
    made = Life()
    secret = made.credentials
    with httpx.Client(
        base_url=service.stack.base_url, timeout=40, event_hooks={"response": [lambda r: made.note(r) and None]}
    ) as http:
        owner = service.bearer()
        token = secret.keep("a valid token", owner.headers["Authorization"].removeprefix("Bearer "))
        user = User(http, owner.user_id, {"Authorization": f"Bearer {token}"})
        webhook = _register(service, user, made)
        _mistakes(service, user, made, webhook["id"])
        _deliver(service, user, made, webhook)
        _intrude(service, http, made, token)
        user.delete(f"/webhooks/{webhook['id']}")
        _register(service, user, made, suffix=" kept")
    return made


def _register(service: Service, user: User, made: Life, suffix: str = "") -> Document:
    secret, private = made.credentials, made.private
    receiver = service.receiver
    echoed = secret.new(f"an echoed header{suffix}")
    said = private.new(f"a receiver's answer{suffix}") + f" {echoed} Bearer {echoed}"
    path = service.path(answer(500, said.encode(), [("X-Echo", echoed)]))
    url = receiver.url(path) + "?token=" + private.new(f"the query of a url{suffix}")
    webhook = user.register(
        url,
        secret=secret.new(f"an imported secret{suffix}"),
        headers={
            "Authorization": "Bearer " + secret.new(f"a header{suffix}"),
            "X-Api-Key": secret.new(f"X-Api-Key{suffix}"),
            "X-Echoed": f"Bearer {echoed}",
        },
        name=private.new(f"a name{suffix}"),
        description=private.new(f"a description{suffix}"),
        metadata={"key": private.new(f"metadata{suffix}")},
        max_retries=1,
    )
    made.shown_once.append(made.answers.pop())
    generated = user.register(url + "&generated", "table.created", headers={"X-Key": secret.new(f"X-Key{suffix}")})
    secret.keep(f"a generated secret{suffix}", generated["secret"])
    made.shown_once.append(made.answers.pop())
    rotated = user.post(f"/webhooks/{generated['id']}/regenerate-secret", {"overlap_hours": 24}).json()
    secret.keep(f"a rotated secret{suffix}", rotated["secret"])
    made.shown_once.append(made.answers.pop())
    user.change(generated["id"], headers={"X-Key": "********", "X-New": secret.new(f"a changed header{suffix}")})
    key = {"Idempotency-Key": private.new(f"an idempotency key{suffix}")}
    user.post("/webhooks", {"name": "n", "url": "https://example.com/"}, headers=key)
    made.shown_once.append(made.answers.pop())
    condition = {"field": "a", "operator": "not_equals", "value": private.new(f"a filter{suffix}")}
    filters = {"conditions": {"operator": "and", "rules": [condition]}}
    user.post(f"/webhooks/{webhook['id']}/subscriptions", {"event_type": "record.updated", "filters": filters})
    return webhook


def _mistakes(service: Service, user: User, made: Life, webhook_id: str) -> None:
    """Refused requests must not repeat what was wrong with them."""
    secret = made.credentials
    good: Document = {"name": "n", "url": "https://example.com/"}
    weak = "short " + secret.new("a refused secret")
    for wrong in (
        good | {"secret": weak + "\n"},
        good | {"secret": [secret.new("a secret in a list")]},
        good | {"headers": {"Cookie": secret.new("a refused header")}},
        good | {"headers": {"X-A": secret.new("a header with a line end") + "\r\nX: y"}},
        good | {"headers": {"X-A": {"nested": secret.new("a header that is an object")}}},
        good | {"headers": [secret.new("headers that are a list")]},
        good | {"url": f"https://user:{secret.new('userinfo')}@example.com/"},
        good | {"headers": {"X-A": secret.new("a header beside a wrong url")}, "url": "https://10.0.0.1/"},
        good | {"password": secret.new("an unknown field")},
    ):
        assert user.post("/webhooks", wrong).status_code == 422
        assert user.put(f"/webhooks/{webhook_id}", wrong).status_code == 422
    broken = json.dumps(good | {"secret": secret.new("a body that is cut off")})[:-2]
    assert user.post("/webhooks", content=broken, headers={"Content-Type": "application/json"}).status_code == 400


def _deliver(service: Service, user: User, made: Life, webhook: Document) -> None:
    private = made.private
    data = {"fields": {"iban": private.new("a payload"), "list": [private.new("a payload's depth")]}}
    published = event(user_id=user.user_id, data=data, metadata={"key": private.new("an event's metadata")})
    user.post("/events", published)
    user.post("/events", {"type": "record.created", "data": data}, headers={"Idempotency-Key": private.new("a key")})
    user.post("/events", {"type": "record.vanished", "data": {"a": private.new("a refused event")}})
    service.put_events([event(user_id=user.user_id, data=data), event("no.such", user_id=user.user_id, data=data)])
    user.post(f"/webhooks/{webhook['id']}/test", {"data": {"a": private.new("a test's data")}})
    delivery = user.settled(webhook["id"], published["id"], "failed")
    letters = eventually(lambda: user.items(f"/webhooks/{webhook['id']}/dead-letters"))
    user.post(f"/webhooks/{webhook['id']}/dead-letters/{letters[0]['id']}/replay")
    user.post(f"/webhooks/{webhook['id']}/deliveries/{delivery['id']}/retry")
    user.read(f"/events/{published['id']}")
    user.items(f"/webhooks/{webhook['id']}/deliveries")
    user.items("/webhooks")
    user.items(f"/webhooks/{webhook['id']}/subscriptions")
    unreadable = json.dumps({"secret": private.new("an unreadable message")})
    for queue in ("IngestQueueUrl", "DeliveryQueueUrl", "DeadLetterQueueUrl", "JobsQueueUrl"):
        service.client("sqs").send_message(QueueUrl=service.stack.outputs[queue], MessageBody=unreadable)
    eventually(lambda: service.receiver.requests(), lambda got: len(got) > 3)


def _intrude(service: Service, http: httpx.Client, made: Life, token: str) -> None:
    secret = made.credentials
    tampered = token[:-8] + "AAAAAAAA"
    other = mint(secret.new("another's key") + "-and-more-of-it-to-be-long", 1, ["admin"])
    for place, value in {
        "a tampered token": f"Bearer {secret.keep('a tampered token', tampered)}",
        "a forged token": f"Bearer {secret.keep('a forged token', other)}",
        "no token": f"Bearer {secret.new('no token')}",
        "a password": "Basic " + base64.b64encode(f"u:{secret.new('a password')}".encode()).decode(),
    }.items():
        assert http.get("/api/v1/webhooks", headers={"Authorization": value}).status_code == 401, place
    http.get("/api/v1/webhooks", params={"cursor": secret.new("a cursor")}, headers={"X-User-ID": "1"})
    http.get("/api/v1/webhooks", params={"token": secret.new("a query parameter")}, headers={"X-User-ID": "1"})
    assert http.get("/openapi.json").status_code == 200
    http.get("/api/v1/webhooks/" + made.private.new("a path"), headers={"X-User-ID": "1"})


def texts_in_table(service: Service) -> Iterator[tuple[str, str]]:
    """Every attribute of every item; what is packed, unpacked."""
    table = service.stack.outputs["TableName"]
    for page in service.client("dynamodb").get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            for name, attribute in item.items():
                yield f"{item['pk']['S']} {name}", _text(attribute)


def _text(attribute: Mapping[str, Any]) -> str:
    if "B" not in attribute:
        return json.dumps(attribute, ensure_ascii=False)
    raw = bytes(attribute["B"])
    try:
        return raw.decode("latin-1") + unpack(raw).decode("latin-1")
    except (ValueError, zlib.error):
        return raw.decode("latin-1")


def test_no_canary_of_any_kind_is_in_any_log(service: Service, life: Life, figure: Figure) -> None:
    lines = service.stack.logs()
    assert len(lines) > 50
    assert any('"level":"INFO"' in line or '"level": "INFO"' in line for line in lines)
    everything = "\n".join(lines)
    assert not life.credentials.found_in(everything)
    assert not life.private.found_in(everything)
    places = len(life.credentials.planted) + len(life.private.planted)
    figure(f"canaries: {places} planted, {len(lines)} log lines at DEBUG: 0 found")


def test_no_credential_is_in_clear_text_in_the_table(service: Service, life: Life, figure: Figure) -> None:
    found = {place: life.credentials.found_in(text) for place, text in texts_in_table(service)}
    assert len(found) > 100
    assert not {place: names for place, names in found.items() if names}
    stored = "\n".join(text for _, text in texts_in_table(service))
    seen = life.private.found_in(stored)
    assert {"a name kept", "metadata kept", "a payload", "the query of a url kept"} <= seen, "the search itself works"
    figure(f"canaries: {len(life.credentials.planted)} credentials, {len(found)} attributes of the table: 0 found")


def test_no_answer_shows_a_credential_but_the_one_that_makes_it(life: Life, figure: Figure) -> None:
    assert not life.credentials.found_in("\n".join(life.answers))
    once = life.credentials.found_in("\n".join(life.shown_once))
    assert {"a generated secret", "a rotated secret", "an imported secret"} <= once
    assert not {place for place in once if "header" in place or place.startswith("X-")}
    figure(f"canaries: {len(life.answers)} answers: 0 found; secrets shown in {len(life.shown_once)} that make them")
