"""Reading events instead of being sent them: over the functions, the fake table and the API."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.owners import SECRET
from tests.fakes.world import TABLE, World, event, events
from tests.support.api_client import ApiClient
from webhooks.models.pull import LAG_MS, PUSH_LAG_MS
from webhooks.request.signing import SigningSecrets, signature_headers

CALLER: dict[str, Any] = {"user_id": "7", "workspaces": ["1"]}


class Service:
    """The functions and the API over one table."""

    def __init__(self, plan: Callable[[str], str | None] | None = None, **settings: Any) -> None:
        self.world = World(plan=plan)
        self.client = ApiClient.over(Api(self.world.services, **settings).use_cases)
        made = self.call("POST", "/webhooks", {"name": "p", "kind": "pull", "workspace_id": 1, "secret": SECRET,
                                               "subscriptions": [{"event_type": "*"}]}, status=201)  # fmt: skip
        self.webhook_id: str = made["id"]

    def call(self, method: str, path: str, body: object = None, *, status: int = 200, **query: Any) -> Any:
        answer = self.client.call(method, path, body, query=query, **CALLER)
        assert answer.status == status, answer.text
        return answer.body if answer.text else None

    def read(self, webhook_id: str, **query: Any) -> Any:
        return self.call("GET", f"/webhooks/{webhook_id}/events", **query)

    def publish(self, *published: Any) -> None:
        self.world.publish(*published)
        self.world.work("ingest")

    def later(self, milliseconds: int = LAG_MS) -> None:
        self.world.clock.ms += milliseconds


@pytest.fixture
def service() -> Service:
    return Service()


def test_a_pull_webhook_is_sent_nothing_and_its_events_are_read_in_order(service: Service) -> None:
    for number in range(3):
        service.publish(event(f"e{number}"))
        service.later(10)
    assert not service.world.messages(service.world.delivery_queue)
    service.later()
    page = service.read(service.webhook_id, limit="2")
    assert [each["event_id"] for each in page["items"]] == ["e0", "e1"]
    assert page["has_more"]
    rest = service.read(service.webhook_id, after=page["next_cursor"])
    assert [each["event_id"] for each in rest["items"]] == ["e2"]
    assert not rest["has_more"]
    assert service.read(service.webhook_id, after=rest["next_cursor"])["items"] == []


def test_what_is_read_is_signed_as_what_is_sent(service: Service) -> None:
    pushed = service.world.owners.register("pushed")
    service.publish(event("e1", traceparent=f"00-{1:032x}-{1:016x}-01"))
    service.world.work()
    service.later()
    (read,) = service.read(service.webhook_id)["items"]
    (sent,) = service.world.receivers.log
    assert read["body"].encode() == sent.body
    of_one = {"X-PyAirtable-Webhook-ID", "X-PyAirtable-Delivery-ID", "X-PyAirtable-Timestamp", "webhook-timestamp",
              "X-PyAirtable-Signature", "webhook-signature"}  # fmt: skip
    assert read["headers"].keys() == sent.headers.keys()
    assert {name: value for name, value in read["headers"].items() if name not in of_one} == {
        name: value for name, value in sent.headers.items() if name not in of_one
    }
    signed = signature_headers(
        SigningSecrets(SECRET),
        prefix="X-PyAirtable",
        event_id="e1",
        timestamp=service.world.clock.ms // 1000,
        body=sent.body,
    )
    assert signed.items() <= read["headers"].items()
    assert read["headers"]["X-PyAirtable-Delivery-ID"] == read["delivery_id"]
    assert pushed.webhook_id != service.webhook_id


def test_the_owner_s_rotations_show_at_once(service: Service) -> None:
    service.publish(event("e1"))
    service.later()
    service.call("POST", f"/webhooks/{service.webhook_id}/regenerate-secret")
    (read,) = service.read(service.webhook_id)["items"]
    assert "X-PyAirtable-Signature-Next" in read["headers"]


def test_a_consumer_goes_on_where_it_committed_and_never_goes_back(service: Service) -> None:
    service.publish(*events(3))
    service.later()
    first, second, third = service.read(service.webhook_id)["items"]
    place = f"/webhooks/{service.webhook_id}/consumers"
    assert [each["event_id"] for each in service.read(service.webhook_id, consumer="c1")["items"]] == [
        each["event_id"] for each in (first, second, third)
    ]
    service.call("POST", f"{place}/c1/commit", {"cursor": second["cursor"]})
    assert [each["event_id"] for each in service.read(service.webhook_id, consumer="c1")["items"]] == [
        third["event_id"]
    ]
    back = service.call("POST", f"{place}/c1/commit", {"cursor": first["cursor"]})
    assert back["reached_at"] == second["recorded_at"]
    (listed,) = service.call("GET", place)["items"]
    assert (listed["name"], listed["reached_at"]) == ("c1", second["recorded_at"])
    assert [each["event_id"] for each in service.read(service.webhook_id, after=listed["cursor"])["items"]] == [
        third["event_id"]
    ]
    service.call("DELETE", f"{place}/c1", status=204)
    service.call("DELETE", f"{place}/c1", status=404)
    assert len(service.read(service.webhook_id, consumer="c1")["items"]) == 3


def test_a_cursor_of_another_webhook_a_forged_and_a_paging_one_are_refused(service: Service) -> None:
    other = service.call("POST", "/webhooks", {"name": "o", "kind": "pull"}, status=201)["id"]
    foreign = service.read(other)["next_cursor"]
    service.call("POST", "/webhooks", {"name": "o2", "kind": "pull"}, status=201)
    paging = service.call("GET", "/webhooks", limit="1")["next_cursor"]
    own = service.read(service.webhook_id)["next_cursor"]
    for cursor in (foreign, paging, own[:-2], "x", own[:-3] + ("AAA" if own[-3:] != "AAA" else "BBB")):
        for answer in (
            service.call("GET", f"/webhooks/{service.webhook_id}/events", status=422, after=cursor),
            service.call("POST", f"/webhooks/{service.webhook_id}/consumers/c/commit", {"cursor": cursor}, status=422),
        ):
            (error,) = answer["errors"]
            assert error["message"].startswith("is not a cursor of this webhook's events"), error


def test_a_cursor_that_is_older_than_what_is_kept_says_so(service: Service) -> None:
    cursor = service.read(service.webhook_id)["next_cursor"]
    service.call("POST", f"/webhooks/{service.webhook_id}/consumers/c/commit", {"cursor": cursor})
    service.later(29 * 86_400_000)
    fresh = service.read(service.webhook_id, after=cursor)["next_cursor"]
    service.later(2 * 86_400_000)
    refused = service.call("GET", f"/webhooks/{service.webhook_id}/events", status=422, after=cursor)
    assert "some may be gone" in refused["detail"]
    assert service.read(service.webhook_id, after=fresh)["items"] == []  # nothing happened, and nothing is missing
    assert service.call("GET", f"/webhooks/{service.webhook_id}/consumers")["items"] == []  # forgotten by then


def test_two_places_to_begin_at_are_refused(service: Service) -> None:
    answer = service.call(
        "GET", f"/webhooks/{service.webhook_id}/events", status=422, consumer="c", **{"from": "2025-10-09T08:00:00Z"}
    )
    (error,) = answer["errors"]
    assert (error["field"], error["message"]) == ("from", "says where to begin, as consumer does: give one of them")


def test_reading_may_begin_at_a_time(service: Service) -> None:
    service.publish(event("e1"))
    service.later(10_000)
    service.publish(event("e2"))
    service.later()
    first, second = service.read(service.webhook_id)["items"]
    assert first["event_id"] == "e1"
    found = service.read(service.webhook_id, **{"from": second["recorded_at"]})["items"]
    assert [each["event_id"] for each in found] == ["e2"]


def test_the_events_of_the_last_seconds_are_not_shown_yet(service: Service) -> None:
    service.publish(event("e1"))
    service.later(LAG_MS - 1)
    page = service.read(service.webhook_id)
    assert page["items"] == []
    service.later(1)
    assert [each["event_id"] for each in service.read(service.webhook_id, after=page["next_cursor"])["items"]] == ["e1"]


def test_a_long_poll_answers_as_soon_as_something_can_be_read(service: Service) -> None:
    service.publish(event("e1"))
    before = service.world.clock.ms
    page = service.read(service.webhook_id, wait="20")
    assert [each["event_id"] for each in page["items"]] == ["e1"]
    assert LAG_MS <= service.world.clock.ms - before < LAG_MS + 1_500


def test_a_long_poll_ends_after_its_seconds_with_a_fresh_cursor(service: Service) -> None:
    before = service.world.clock.ms
    page = service.read(service.webhook_id, wait="7")
    assert page["items"] == []
    assert service.world.clock.ms - before == 7_000
    service.call("GET", f"/webhooks/{service.webhook_id}/events", status=422, wait="21")


def test_where_no_place_is_free_a_long_poll_is_answered_at_once_and_takes_nobody_s_place() -> None:
    service = Service(max_polls_per_tenant="1")
    waited: list[Any] = []

    def meanwhile(seconds: float) -> None:
        service.world.clock.sleep(seconds)
        if not waited:
            waited.append(None)
            before = service.world.clock.ms
            answer = service.client.call(
                "GET", f"/webhooks/{service.webhook_id}/events", query={"wait": "20"}, **CALLER
            )
            waited[0] = answer, service.world.clock.ms - before

    service.client = ApiClient.over(Api(service.world.services, sleep=meanwhile, max_polls_per_tenant="1").use_cases)
    service.read(service.webhook_id, wait="3")
    ((answer, took_ms),) = waited
    assert (answer.status, answer.body["items"], answer.headers["retry-after"]) == (200, [], "5")
    assert took_ms == 0


def test_a_long_poll_gives_its_place_back(service: Service) -> None:
    for _ in range(8):
        service.read(service.webhook_id, wait="1")
    limits = {each["name"]: each for each in service.call("GET", "/limits")["items"]}
    assert (limits["long_polls"]["limit"], limits["long_polls"]["used"]) == (5, 0)


def test_while_it_is_paused_what_comes_is_kept_and_reading_says_so(service: Service) -> None:
    service.call("PUT", f"/webhooks/{service.webhook_id}", {"status": "paused"})
    service.publish(event("e1"))
    service.later()
    refused = service.call("GET", f"/webhooks/{service.webhook_id}/events", status=409)
    assert "paused" in refused["detail"]
    service.call("PUT", f"/webhooks/{service.webhook_id}", {"status": "active"})
    assert [each["event_id"] for each in service.read(service.webhook_id)["items"]] == ["e1"]


def test_what_it_missed_while_inactive_can_be_recovered_and_is_read_then(service: Service) -> None:
    service.call("PUT", f"/webhooks/{service.webhook_id}", {"status": "inactive"})
    service.publish(event("e1"))
    service.later()
    assert service.read(service.webhook_id)["items"] == []
    assert service.call("GET", "/events/e1")["webhooks"][0]["reason"] == "inactive"
    service.call("PUT", f"/webhooks/{service.webhook_id}", {"status": "active"})
    cursor = service.read(service.webhook_id)["next_cursor"]
    service.call("POST", f"/webhooks/{service.webhook_id}/recover", {"from": "2020-01-01T00:00:00Z"}, status=202)
    service.world.run()
    service.later()
    assert [each["event_id"] for each in service.read(service.webhook_id, after=cursor)["items"]] == ["e1"]
    assert not service.world.receivers.log


def test_an_erased_event_is_listed_without_its_body(service: Service) -> None:
    service.publish(event("e1"))
    service.later()
    erased = service.client.call("DELETE", "/events/e1", user_id="9", scopes=("admin",))
    assert erased.status == 204, erased.text
    (read,) = service.read(service.webhook_id)["items"]
    assert (read["event_id"], read["body"], read["missing"], read["headers"]) == ("e1", None, "gone", {})


def test_what_its_publisher_wants_less_kept_of_cannot_be_read(service: Service) -> None:
    service.publish(event("e1", redact=["data.fields.name"]), event("e2", retention_days=0), event("e3"))
    service.later()
    found = {each["event_id"]: each["missing"] for each in service.read(service.webhook_id)["items"]}
    assert found == {"e1": "not_kept", "e2": "not_kept", "e3": None}


def test_the_event_s_page_says_that_it_is_to_be_read(service: Service) -> None:
    service.publish(event("e1"))
    found = service.call("GET", "/events/e1")
    (result,) = found["webhooks"]
    assert (result["status"], result["delivery_id"]) == ("recorded", None)
    assert (found["disposition"], found["counts"]) == ("queued", {"recorded": 1})


def test_a_push_webhook_is_read_by_acceptance_and_later() -> None:
    service = Service()
    pushed = service.world.owners.register("pushed")
    service.publish(*events(5))
    accepted_ms = service.world.clock.ms
    service.world.work()
    service.world.clock.ms = accepted_ms + PUSH_LAG_MS - 1
    assert service.read(pushed.webhook_id)["items"] == []
    service.later(1)
    page = service.read(pushed.webhook_id)
    assert {each["event_id"] for each in page["items"]} == {f"e{number}" for number in range(5)}
    sent = {seen.event_id: seen for seen in service.world.receivers.log}
    assert all(each["body"].encode() == sent[each["event_id"]].body for each in page["items"])
    assert all(each["delivery_id"] == sent[each["event_id"]].delivery_id for each in page["items"])


def test_tests_of_a_push_webhook_are_no_events_of_it() -> None:
    service = Service()
    pushed = service.world.owners.register("pushed")
    service.publish(event("e1"))
    service.world.work()
    for key, item in service.world.dynamodb.tables[TABLE].all_items():
        if key[1].startswith("dlv#"):
            service.world.dynamodb.tables[TABLE].write(key, {**item, "kind": {"S": "test"}})
    service.later(PUSH_LAG_MS)
    assert service.read(pushed.webhook_id)["items"] == []


def test_a_push_webhook_costs_no_call_and_no_byte_more() -> None:
    """Of what ingest and the sender do, with a pull webhook beside it that does not want the event."""
    alone, beside = World(), World()
    beside.owners.register("read", kind="pull", event_types=("table.created",))
    written: list[list[Any]] = []
    for world in (alone, beside):
        world.owners.register("pushed", event_types=("record.created",))
        calls: list[str] = []
        world.publish(event("e1"))
        world.clients["dynamodb"]._plan = lambda call, calls=calls: calls.append(call)
        world.work()
        (item,) = world.items("ws:1")
        written.append([calls, item.keys()])
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "p"}, "url"),
        ({"name": "p", "kind": "pull", "url": "https://example.com/"}, "url"),
        ({"name": "p", "kind": "pull", "headers": {"X-A": "b"}}, "headers"),
        ({"name": "p", "kind": "pull", "max_retries": 3}, "max_retries"),
        ({"name": "p", "kind": "pull", "rate_limit_rps": 3}, "rate_limit_rps"),
        ({"name": "p", "kind": "mail"}, "kind"),
    ],
)
def test_what_does_not_fit_the_kind_is_refused(service: Service, body: dict[str, Any], field: str) -> None:
    answer = service.call("POST", "/webhooks", body, status=422)
    assert [each["field"] for each in answer["errors"]] == [field]


@pytest.mark.parametrize("change", [{"kind": "push"}, {"url": "https://example.com/"}, {"headers": {"X-A": "b"}}])
def test_a_pull_webhook_stays_one(service: Service, change: dict[str, Any]) -> None:
    answer = service.call("PUT", f"/webhooks/{service.webhook_id}", change, status=422)
    assert [each["field"] for each in answer["errors"]] == list(change)


def test_a_pull_webhook_is_sent_no_test(service: Service) -> None:
    assert "sent nothing" in service.call("POST", f"/webhooks/{service.webhook_id}/test", status=409)["detail"]


def test_a_webhook_has_so_many_consumers(service: Service) -> None:
    cursor = service.read(service.webhook_id)["next_cursor"]
    for number in range(100):
        service.call("POST", f"/webhooks/{service.webhook_id}/consumers/c{number}/commit", {"cursor": cursor})
    refused = service.call(
        "POST", f"/webhooks/{service.webhook_id}/consumers/c100/commit", {"cursor": cursor}, status=409
    )
    assert "100 consumers" in refused["detail"]


def test_a_page_is_no_larger_than_lambda_may_answer(service: Service) -> None:
    for number in range(8):
        service.publish(event(f"e{number}", data={"text": "\u00fc" * 125_000}))
    service.later()
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        answer = service.client.call(
            "GET", f"/webhooks/{service.webhook_id}/events", query={"limit": "100", **after}, **CALLER
        )
        assert len(answer.text.encode()) < 6 * 1024 * 1024
        found += [each["event_id"] for each in answer.body["items"]]
        after = {"after": answer.body["next_cursor"]}
        if not answer.body["has_more"]:
            break
    assert sorted(found) == [f"e{n}" for n in range(8)]
