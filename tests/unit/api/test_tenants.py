"""GET /tenants over HTTP, on fakes: who is in trouble, and who causes it."""

import pytest

from tests.support.api_client import ApiClient
from tests.unit.api.test_overview import NOW_HOUR, OPEN, _hour  # pyright: ignore[reportPrivateUsage]
from webhooks.management.overview import SHOWN

ADMIN = ("webhooks", "admin")


@pytest.fixture
def api() -> ApiClient:
    return ApiClient()


def _look(api: ApiClient, **query: str) -> dict[str, object]:
    answer = api.call("GET", "/tenants", user_id="1", scopes=ADMIN, query=query or None)
    assert answer.status == 200, answer.text
    return answer.body


def test_only_admins_see_it(api: ApiClient) -> None:
    assert api.call("GET", "/tenants").status == 403
    assert api.call("GET", "/tenants", user_id=None).status == 401


def test_owners_with_most_failures_come_first_with_their_cause(api: ApiClient) -> None:
    for owner in ("quiet", "noisy", "waiting"):
        api.register(user_id=owner)
    api.register(user_id="noisy")
    api.statistics.by_owner["noisy"] = {NOW_HOUR: _hour(10, http_500=70, tls=20)}
    api.statistics.by_owner["quiet"] = {NOW_HOUR: _hour(5)}
    api.statistics.parked["waiting"] = {"parked#paused": 4, "parked#retry": 0}
    items = api.call("GET", "/tenants", user_id="1", scopes=ADMIN).body["items"]
    assert [
        (each["user_id"], each["webhooks"], each["failures"], each["cause"], each["waiting"]) for each in items
    ] == [
        ("noisy", 2, 90, "http_500", {}),
        ("waiting", 1, 0, None, {"paused": 4}),
        ("quiet", 1, 0, None, {}),
    ]
    assert _look(api)["is_complete"] is True


def test_webhooks_in_trouble_are_named_with_owner_and_cause(api: ApiClient) -> None:
    broken = api.register(user_id="noisy", name="Broken")["id"]
    shaky = api.register(user_id="other", name="Shaky")["id"]
    fine = api.register(user_id="other", name="Fine")["id"]
    api.states.states[broken] = OPEN
    api.statistics.not_closed = [(broken, "open")]
    api.statistics.by_hour[broken] = {NOW_HOUR: _hour(1, tls=30)}
    api.statistics.by_hour[shaky] = {NOW_HOUR: _hour(80, http_503=20)}
    api.statistics.by_owner["other"] = {NOW_HOUR: _hour(80, http_503=20)}
    api.statistics.failed_lately["other"] = [shaky, fine]
    attention = api.call("GET", "/tenants", user_id="1", scopes=ADMIN).body["attention"]
    assert [(each["webhook_name"], each["user_id"], each["health"], each["cause"]) for each in attention] == [
        ("Broken", "noisy", "failing", "tls"),
        ("Shaky", "other", "degraded", "http_503"),
    ]


def test_it_says_when_there_is_more(api: ApiClient) -> None:
    ids = [api.register(user_id="noisy")["id"] for _ in range(SHOWN + 1)]
    for webhook_id in ids:
        api.states.states[webhook_id] = OPEN
    api.statistics.not_closed = [(each, "open") for each in ids]
    body = _look(api)
    assert body["more_attention"] is True
    assert len(body["attention"]) == SHOWN  # type: ignore[arg-type]
