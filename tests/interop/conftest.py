"""Real deliveries of the running stack, for the libraries that receivers use."""

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from localstack.stack import LocalStack
from tests.support.receiver import ReceivedRequest
from tests.support.service import Service, event, eventually
from tests.support.stack import stack

__all__ = ["stack"]


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What one webhook was sent, and the secrets that it was signed with."""

    former: str
    secret: str
    before: list[ReceivedRequest]
    during: list[ReceivedRequest]  # a rotation from `former` to `secret`


@pytest.fixture(scope="session")
def service(stack: LocalStack) -> Iterator[Service]:
    with Service.of(stack) as running:
        yield running


@pytest.fixture(scope="session")
def deliveries(service: Service) -> Deliveries:
    """Plain text, other alphabets, numbers at their limits; before and while the secret is rotated."""
    user, path = service.user(), service.path()
    former = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    webhook = user.register(service.receiver.url(path), secret=former)
    fields = [{"name": "John Doe"}, {"name": "Zoë 名前 \U0001f600 \ufffe"}, {"n": [0.1, -1, 2**53, None, True]}, {}]

    def send(count: int) -> list[ReceivedRequest]:
        events = [event(data={"fields": each}) | {"user_id": user.user_id} for each in fields]
        service.put_events(events)
        return eventually(lambda: service.receiver.requests(path), lambda come: len(come) == count)

    before = list(send(len(fields)))
    secret = user.post(f"/webhooks/{webhook['id']}/regenerate-secret", {"overlap_hours": 24}).json()["secret"]
    return Deliveries(former, secret, before, list(send(2 * len(fields)))[len(fields) :])
