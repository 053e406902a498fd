"""An id or an Idempotency-Key given again: with the same event it is done once, with another one it is refused."""

import json
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.owners import caller
from tests.fakes.world import World, event
from webhooks.errors import Conflict
from webhooks.events.publishing import Accepted
from webhooks.events.repeats import OTHER_REQUEST
from webhooks.models.caller import Caller
from webhooks.payload import parse_json

PLATFORM = Caller("platform", frozenset(), frozenset({"events:write:any", "admin"}))
UNTIMED = {name: value for name, value in event().items() if name != "timestamp"}


class Doors:
    """A world with one webhook, and a process of the api."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.faulty: str | None = None
        self.world = World(plan=self._plan)
        self.webhook = self.world.owners.register("one")
        self.api = Api(self.world.services)

    def _plan(self, call: str) -> str | None:
        self.calls.append(call)
        return "no_connection" if call == self.faulty else None

    def post(self, document: Any, key: str | None = None, who: Caller = PLATFORM) -> list[Accepted]:
        return self.api.publishing.publish(who, document, key)

    def refused(self, document: Any, key: str | None = None) -> str:
        queued = len(self.world.messages(self.world.ingest_queue))
        with pytest.raises(Conflict) as caught:
            self.post(document, key)
        assert len(self.world.messages(self.world.ingest_queue)) == queued
        return str(caught.value)

    def settle(self) -> "Doors":
        self.world.clock.ms += 1_000
        self.world.work("ingest", "sender")
        return self

    def sent(self) -> list[str]:
        return [json.loads(each.body)["data"]["fields"]["name"] for each in self.world.receivers.log]

    def put_aside(self) -> list[str]:
        return [
            each.attributes["reason"]["StringValue"]
            for each in self.world.messages(self.world.ingest_dead_letter_queue)
        ]

    def shown(self, event_id: str) -> list[tuple[str, ...]]:
        return [each.differs for each in self.api.use_cases.events.get(PLATFORM, event_id).repeats]

    def counted(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for item in self.world.items("count#"):
            for name, value in item.items():
                if name.startswith("c#duplicates#"):
                    counts[name.removeprefix("c#duplicates#")] = int(value["N"])
        return counts


@pytest.fixture
def doors() -> Doors:
    return Doors()


def named(name: str, **changes: Any) -> dict[str, Any]:
    return event(**{"data": {"fields": {"name": name, "age": 7}}, **changes})


def test_the_same_request_is_done_once_and_says_so(doors: Doors) -> None:
    (first,) = doors.post(UNTIMED, "key")
    assert not first.is_duplicate
    doors.settle()
    (again,) = doors.post(dict(reversed(UNTIMED.items())), "key")  # the order of keys says nothing
    assert again == Accepted(first.event_id, is_duplicate=True)
    doors.settle()
    assert doors.sent() == ["Ann"]
    assert doors.shown(first.event_id) == [()]
    assert doors.counted() == {"event": 1}
    assert doors.put_aside() == []


def test_a_key_with_another_body_is_refused_with_what_differs(doors: Doors) -> None:
    (first,) = doors.post(named("Ann"), "key")
    doors.settle()
    said = doors.refused(named("Bob", data={"fields": {"name": "Bob", "more": 1}}), "key")
    assert said == (
        f"{first.event_id} was published before, and differs in data.fields.name, data.fields.age, data.fields.more"
    )
    assert doors.settle().sent() == ["Ann"]
    assert doors.shown(first.event_id) == [("data.fields.name", "data.fields.age", "data.fields.more")]


def test_a_batch_repeated_without_its_first_event_is_refused_and_so_is_any_other_number_of_events(
    doors: Doors,
) -> None:
    batch = [named(name) for name in "abc"]
    accepted = doors.post(batch, "key")
    doors.settle()
    assert doors.refused(batch[1:], "key").startswith(
        f"events.0: {accepted[0].event_id} was published before, and differs in data.fields.name"
    )
    for other in (batch[:1], batch[:2], [*batch, named("d")], {"events": batch[:2]}):
        assert OTHER_REQUEST in doors.refused(other, "key")
    assert [each.is_duplicate for each in doors.post({"events": batch}, "key")] == [True, True, True]
    assert doors.settle().sent() == ["a", "b", "c"]


@pytest.mark.parametrize("door", ["http", "bus", "queue"])
def test_an_id_given_again_is_the_same_event_or_a_conflict_whichever_door_took_it(doors: Doors, door: str) -> None:
    first = named("Ann", id="e1")
    {"http": doors.post, "bus": doors.world.put_event, "queue": doors.world.publish}[door](first)
    doors.settle()
    assert doors.post(first) == [Accepted("e1", is_duplicate=True)]
    assert "data.fields.name" in doors.refused([named("x"), named("Bob", id="e1")])
    assert "differs in timestamp" in doors.refused({**first, "timestamp": "2025-10-09T08:00:01Z"})
    assert doors.settle().sent() == ["Ann"]


@pytest.mark.parametrize("door", ["bus", "queue"])
def test_who_is_told_nothing_finds_another_event_under_a_taken_id_put_aside_and_shown(doors: Doors, door: str) -> None:
    publish = {"bus": doors.world.put_event, "queue": doors.world.publish}[door]
    publish({**UNTIMED, "id": "e1"})
    doors.settle()
    publish({**UNTIMED, "id": "e1"})  # its time is ours, and another one
    for _ in range(2):
        publish(named("Bob", id="e1"))
    doors.settle()
    assert doors.sent() == ["Ann"]
    reasons = doors.put_aside()
    assert len(reasons) == 2
    assert all("another event was published as e1" in each and "data.fields.name" in each for each in reasons)
    assert len(doors.shown("e1")) == 2
    assert doors.shown("e1")[0] == ()
    assert "data.fields.name" in doors.shown("e1")[1]
    assert doors.counted() == {"event": 1, "conflict": 2}


def test_of_two_that_race_the_first_one_is_recorded_and_the_other_put_aside(doors: Doors) -> None:
    (first,) = doors.post(named("Ann"), "key")
    (second,) = doors.post(named("Bob"), "key")  # ingestion has recorded neither
    assert second == Accepted(first.event_id)
    doors.settle()
    (reason,) = doors.put_aside()
    assert "data.fields.name" in reason
    assert len(doors.sent()) == 1


def test_what_was_put_aside_is_put_aside_again_when_it_is_moved_back(doors: Doors) -> None:
    doors.post(named("Ann"), "key")
    doors.post(named("Bob"), "key")
    doors.settle()
    (message,) = doors.world.messages(doors.world.ingest_dead_letter_queue)
    doors.world.send_raw(doors.world.ingest_queue, message.body)
    doors.settle()
    assert len(doors.put_aside()) == 2
    assert len(doors.sent()) == 1


def test_numbers_count_as_they_are_written(doors: Doors) -> None:
    def priced(price: str) -> object:
        text = f'{{"id":"e1","type":"record.created","user_id":7,"data":{{"fields":{{"name":"x","price":{price}}}}}}}'
        return parse_json(text, max_bytes=1_000)

    doors.post(priced("1.10"))
    doors.settle()
    assert doors.post(priced("1.10")) == [Accepted("e1", is_duplicate=True)]
    assert "data.fields.price" in doors.refused(priced("1.1"))


def test_another_publisher_s_id_is_no_conflict_and_its_repeats_are_known(doors: Doors) -> None:
    victim, attacker = caller(7, 1), caller(8, 1)
    doors.post(named("fake", id="e1", user_id=8), who=attacker)
    doors.settle()
    assert doors.post(named("real", id="e1"), who=victim) == [Accepted("e1")]
    doors.settle()
    assert doors.post(named("real", id="e1"), who=victim) == [Accepted("e1", is_duplicate=True)]
    with pytest.raises(Conflict):
        doors.post(named("changed", id="e1"), who=victim)
    assert sorted(doors.settle().sent()) == ["fake", "real"]


def test_an_event_without_an_id_and_a_key_asks_the_table_nothing(doors: Doors) -> None:
    doors.calls.clear()
    doors.post(named("Ann"))
    assert doors.calls == ["sqs.send_message_batch"]
    doors.calls.clear()
    doors.post([named("Ann", id="e1"), named("Bob", id="e2")])
    assert doors.calls == ["dynamodb.batch_get_item", "sqs.send_message_batch"]


def test_a_table_that_does_not_answer_keeps_nothing_from_being_accepted(doors: Doors) -> None:
    doors.post(named("Ann", id="e1"))
    doors.settle()
    doors.faulty = "dynamodb.batch_get_item"
    assert doors.post(named("Ann", id="e1")) == [Accepted("e1")]
    doors.faulty = None
    assert doors.settle().sent() == ["Ann"]


def test_what_an_older_version_recorded_or_queued_has_no_fingerprint_and_counts_as_the_same(doors: Doors) -> None:
    doors.world.publish(named("old", id="e1"), token="pub_old")
    doors.settle()
    assert doors.post(named("new", id="e1")) == [Accepted("e1", is_duplicate=True)]
    doors.settle()
    doors.post(named("Ann", id="e2"))
    doors.settle()
    doors.world.publish(named("Bob", id="e2"), token="pub_old2")
    doors.settle()
    assert doors.put_aside() == []
    assert doors.sent() == ["old", "Ann"]
