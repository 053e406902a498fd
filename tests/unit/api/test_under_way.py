"""What one owner may have under way: test deliveries, and replays and recoveries."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.support.api_client import NOW, Answered, ApiClient
from tests.support.management_fakes import EchoSender
from webhooks.errors import Unavailable
from webhooks.models.test_result import TestResult


@dataclass
class BusySender(EchoSender):
    """While it sends one, the others are asked for; or it is unavailable."""

    meanwhile: Any = None
    unavailable: bool = False

    def send_test(self, webhook_id: str, payload: Mapping[str, object], *, static_egress: bool = False) -> TestResult:
        if self.unavailable:
            raise Unavailable("Lambda: no")
        if self.meanwhile is not None:
            ask, self.meanwhile = self.meanwhile, None
            ask()
        return super().send_test(webhook_id, payload, static_egress=static_egress)


def client_of(**changes: Any) -> tuple[ApiClient, BusySender]:
    sender = BusySender()
    return ApiClient(sender=sender, **changes), sender


def meanwhile(client: ApiClient, sender: BusySender, webhook_id: str, **caller: Any) -> Answered:
    """The answer to a test delivery that is asked for while another one is under way."""
    answers: list[Answered] = []
    sender.meanwhile = lambda: answers.append(client.call("POST", f"/webhooks/{webhook_id}/test", **caller))
    return answers[0] if client.call("POST", f"/webhooks/{webhook_id}/test").status == 200 else pytest.fail("refused")


def test_one_test_delivery_too_many_is_refused_and_says_what_would_be_right() -> None:
    client, sender = client_of(max_tests=(1, 9))
    refused = meanwhile(client, sender, client.register()["id"])
    assert refused.status == 429
    assert refused.body["type"] == "/problems/too-many-requests"
    assert refused.body["detail"].startswith("1 test deliveries of this owner are under way")
    assert refused.headers["retry-after"] == "5"
    assert len(sender.tried) == 1


def test_one_owners_test_deliveries_are_not_counted_for_another() -> None:
    client, sender = client_of(max_tests=(1, 9))
    mine, theirs = client.register()["id"], client.register(user_id="456")["id"]
    sender.meanwhile = lambda: client.call("POST", f"/webhooks/{theirs}/test", user_id="456")
    assert client.call("POST", f"/webhooks/{mine}/test").status == 200
    assert [webhook_id for webhook_id, _ in sender.tried] == [theirs, mine]


def test_all_owners_together_have_no_more_than_the_service_can_spare() -> None:
    client, sender = client_of(max_tests=(9, 1))
    mine, theirs = client.register()["id"], client.register(user_id="456")["id"]
    answers: list[Answered] = []
    sender.meanwhile = lambda: answers.append(client.call("POST", f"/webhooks/{theirs}/test", user_id="456"))
    client.call("POST", f"/webhooks/{mine}/test")
    assert answers[0].status == 429
    assert "of all owners together" in answers[0].body["detail"]
    assert client.call("POST", f"/webhooks/{theirs}/test", user_id="456").status == 200, "once the other one has ended"


def test_a_test_delivery_that_ends_in_whatever_way_makes_room() -> None:
    client, sender = client_of(max_tests=(1, 1))
    webhook_id = client.register()["id"]
    sender.unavailable = True
    assert [client.call("POST", f"/webhooks/{webhook_id}/test").status for _ in range(3)] == [503] * 3
    sender.unavailable = False
    assert client.call("POST", f"/webhooks/{webhook_id}/test").status == 200


def test_the_lease_of_a_process_that_died_ends_by_itself() -> None:
    client, _ = client_of(max_tests=(1, 1))
    webhook_id = client.register()["id"]
    client.slots.take("tests", "123", 0, None, f"{NOW + 30_000}:evt_dead")
    assert client.call("POST", f"/webhooks/{webhook_id}/test").status == 429
    client.now_ms += 30_000
    assert client.call("POST", f"/webhooks/{webhook_id}/test").status == 200


def start(client: ApiClient, webhook_id: str, kind: str = "recover", **caller: Any) -> Answered:
    if kind == "recover":
        return client.call("POST", f"/webhooks/{webhook_id}/recover", {"from": "2025-01-01T00:00:00Z"}, **caller)
    return client.call("POST", f"/webhooks/{webhook_id}/dead-letters/bulk-replay", **caller)


def test_one_replay_too_many_is_refused_and_keeps_nothing() -> None:
    client = ApiClient(max_replays=2)
    webhook_id = client.register()["id"]
    assert [start(client, webhook_id, kind).status for kind in ("recover", "replay")] == [202, 202]
    for kind in ("recover", "replay"):
        refused = start(client, webhook_id, kind)
        assert (refused.status, refused.headers["retry-after"]) == (429, "30")
        assert refused.body["detail"].startswith("2 replays and recoveries of this owner are under way")
    assert len(client.jobs.jobs) == len(client.jobs.started) == 2
    other = client.register(user_id="456")["id"]
    assert start(client, other, user_id="456").status == 202


def test_a_dry_run_has_a_slot_while_it_counts_and_no_longer() -> None:
    client = ApiClient(max_replays=1)
    webhook_id = client.register()["id"]
    asked = {"from": "2025-01-01T00:00:00Z", "dry_run": True}
    assert [client.call("POST", f"/webhooks/{webhook_id}/recover", asked).status for _ in range(3)] == [200] * 3
    assert start(client, webhook_id).status == 202
    refused = client.call("POST", f"/webhooks/{webhook_id}/recover", asked)
    assert (refused.status, refused.headers["retry-after"]) == (429, "30")
    assert client.jobs.started == client.jobs.started[:1]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_replay_that_has_ended_makes_room(status: Any) -> None:
    client = ApiClient(max_replays=1)
    webhook_id = client.register()["id"]
    job_id = start(client, webhook_id).body["id"]
    assert start(client, webhook_id).status == 429
    client.jobs.jobs[job_id] = replace(client.jobs.jobs[job_id], status=status)
    assert start(client, webhook_id).status == 202


def test_a_replay_that_was_never_kept_or_lost_its_message_makes_room_in_the_end() -> None:
    client = ApiClient(max_replays=1)
    webhook_id = client.register()["id"]
    job_id = start(client, webhook_id).body["id"]
    client.now_ms += 3_600_000
    assert start(client, webhook_id).status == 429, "it may work yet"
    client.now_ms += 1
    assert start(client, webhook_id).status == 202
    client.jobs.jobs.clear()  # died between taking the slot and keeping the job
    client.now_ms += 60_000
    assert start(client, webhook_id).status == 429, "it may be kept in a moment"
    client.now_ms += 1
    assert start(client, webhook_id).status == 202
    assert job_id not in client.slots.holders("replays", "123").values()
