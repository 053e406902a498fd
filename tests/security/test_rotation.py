"""Signing secrets rotated while deliveries go out: none is signed with a secret that its receiver cannot know."""

import itertools

from standardwebhooks import Webhook

from tests.conftest import Figure
from tests.support.service import Service, event

EVENTS = 120
ROTATIONS = 4


def test_every_delivery_verifies_with_a_secret_of_its_time(service: Service, figure: Figure) -> None:
    user, path = service.user(), service.path()
    webhook = user.register(service.receiver.url(path))
    secrets = [webhook["secret"]]
    for number in range(ROTATIONS):
        service.put_events([event(user_id=user.user_id) for _ in range(EVENTS // ROTATIONS // 2)])
        rotated = user.post(f"/webhooks/{webhook['id']}/regenerate-secret", {"overlap_hours": number % 2})
        secrets.append(rotated.json()["secret"])
        service.put_events([event(user_id=user.user_id) for _ in range(EVENTS // ROTATIONS // 2)])
    arrived = service.receiver.wait_for(path, EVENTS, 60)
    overlapping = 0
    for request in arrived:
        headers = {name.lower(): value for name, value in request.headers}
        good = {number for number, secret in enumerate(secrets) if _verifies(secret, request.body, headers)}
        signatures = len(headers["webhook-signature"].split())
        assert len(good) == signatures, "each signature is by a secret that was given out"
        numbers = range(len(secrets))
        assert good in [*({number} for number in numbers), *({a, b} for a, b in itertools.pairwise(numbers))]
        overlapping += signatures == 2
    assert overlapping >= EVENTS // 4
    figure(f"rotation: {len(arrived)} deliveries over {ROTATIONS} rotations: 0 that a receiver could not verify")


def _verifies(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except Exception:
        return False
    return True
