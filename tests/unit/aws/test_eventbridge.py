import json
from typing import Any

import pytest

from webhooks.aws.eventbridge import EventBridgeBus
from webhooks.errors import Unavailable
from webhooks.events.validation import normalise
from webhooks.operational_events import OperationalEvent

NOW = 1_760_000_000_000


class Client:
    def __init__(self, failing: int = 0) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self.failing = failing

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.calls.append(Entries)
        return {"FailedEntryCount": self.failing}


def operational_event(number: int = 1) -> OperationalEvent:
    return OperationalEvent("webhook.disabled", f"wh_{number}", 7, None, {"reason": "gone"}, f"evt_{number}")


def test_an_announcement_is_an_event_like_any_other_from_a_source_of_its_own() -> None:
    client = Client()
    EventBridgeBus(lambda: client, "bus", "pyairtable").publish([operational_event()], NOW)
    ((entry,),) = client.calls
    assert (entry["Source"], entry["DetailType"], entry["EventBusName"]) == (
        "pyairtable.webhooks",
        "webhook.disabled",
        "bus",
    )
    event = normalise(json.loads(entry["Detail"]), default_id="", default_timestamp="")
    assert event.event_id == "evt_1"
    assert (event.scope, event.payload["resource_id"]) == ("user:7", "wh_1")
    assert event.payload["data"] == {"webhook_id": "wh_1", "reason": "gone"}


def test_more_than_ten_go_in_several_calls() -> None:
    client = Client()
    EventBridgeBus(lambda: client, "bus", "pyairtable").publish([operational_event(n) for n in range(25)], NOW)
    assert [len(entries) for entries in client.calls] == [10, 10, 5]


def test_what_the_bus_does_not_take_is_told() -> None:
    with pytest.raises(Unavailable):
        EventBridgeBus(lambda: Client(failing=1), "bus", "pyairtable").publish([operational_event()], NOW)
