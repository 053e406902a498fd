"""Reading, sending on and committing, with whatever can go wrong on either side."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from pyhooks.api import Api
from pyhooks.errors import DoesNotFit, NotFound, NotLoggedIn, Refused
from pyhooks.listening.claim import Claim
from pyhooks.listening.reader import COMMIT_SECONDS, FRESH_SECONDS, Listener
from pyhooks.listening.receiver import LocalReceiver, Reply
from pyhooks.listening.webhook import existing, take_up
from pyhooks.profiles import FileSecrets
from tests.support.receiver import Behaviour, Receiver, answer, close_without_answer, never_answer, reset

SECRET = "whsec_" + base64.b64encode(b"a secret of a webhook").decode()
SIGNED_AT = datetime(2026, 11, 27, 12, tzinfo=UTC)
Handler = Callable[[httpx.Request], httpx.Response]


def body(number: int) -> str:
    return json.dumps({"id": f"evt_{number}", "type": "record.created", "data": {"n": 1.10}})


@dataclass
class PullService:
    """A pull webhook with events that are there, as the service answers; `cursor` n stands behind event n."""

    events: int = 3
    a_page: int = 2
    empty: set[int] = field(default_factory=set[int])
    faults: list[httpx.Response | Exception] = field(default_factory=list[httpx.Response | Exception])
    commits: list[str] = field(default_factory=list[str])
    reads: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    committed: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return fault
        if request.url.path.endswith("/commit"):
            cursor = json.loads(request.content)["cursor"]
            self.commits.append(cursor)
            self.committed = int(cursor)
            return httpx.Response(200, json={"committed_at": "2026-11-27T12:00:00Z", "from a newer service": 1})
        self.reads.append(dict(request.url.params))
        after = int(request.url.params.get("after") or self.committed)
        numbers = list(range(after + 1, min(self.events, after + self.a_page) + 1))
        last = numbers[-1] if numbers else after
        return httpx.Response(
            200, json={"items": list(map(self.item, numbers)), "next_cursor": str(last), "has_more": last < self.events}
        )

    def item(self, number: int) -> dict[str, Any]:
        text, event_id = body(number), f"evt_{number}"
        stamp = {"webhook-id": event_id, "webhook-timestamp": str(int(SIGNED_AT.timestamp()))}
        headers = stamp | {"webhook-signature": Webhook(SECRET).sign(event_id, SIGNED_AT, text)}
        is_empty = number in self.empty
        return {
            "cursor": str(number), "event_id": event_id, "event_type": "record.created", "delivery_id": f"dlv_{number}",
            "headers": {} if is_empty else headers, "body": None if is_empty else text,
            "missing": "a reason of a newer service" if is_empty else None,
        }  # fmt: skip


@dataclass
class Seen:
    """The screen, which ends the listener after so many events; and a clock that goes on while it sleeps."""

    ends_after: int = 3
    events: list[tuple[str, int | None]] = field(default_factory=list[tuple[str, int | None]])
    troubles: list[str] = field(default_factory=list[str])
    slept: list[float] = field(default_factory=list[float])

    def event(self, item: dict[str, Any], reply: Reply | None) -> None:
        self.events.append((item["event_id"], reply.status if reply else None))
        if len(self.events) == self.ends_after:
            raise KeyboardInterrupt

    def trouble(self, what: str, why: str) -> None:
        self.troubles.append(why)

    def back(self, what: str) -> None:
        pass

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


_locals: list[LocalReceiver] = []


@pytest.fixture(autouse=True)
def _tidy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYHOOKS_CONFIG_DIR", str(tmp_path))
    yield
    while _locals:
        _locals.pop().close()


def local(url: str, timeout_seconds: float = 0.3) -> LocalReceiver:
    _locals.append(LocalReceiver(url, timeout_seconds))
    return _locals[-1]


def listener(service: Handler, receiver: Receiver, seen: Seen, **more: Any) -> Listener:
    return Listener(
        api=Api("http://service", "key", retries=0, transport=httpx.MockTransport(service)), webhook_id="wh_1",
        consumer="me", secret=more.pop("secret", SECRET), receiver=local(receiver.url("/")),
        claim=Claim("http://service", "wh_1", "me"), screen=seen, sleep=seen.sleep,
        monotonic=more.pop("monotonic", lambda: sum(seen.slept)), **more,
    )  # fmt: skip


def listen(service: Handler, receiver: Receiver, seen: Seen, **more: Any) -> Listener:
    """Until the screen ends it."""
    made = listener(service, receiver, seen, **more)
    with pytest.raises(KeyboardInterrupt):
        made.run()
    return made


def sent(receiver: Receiver) -> list[str | None]:
    return [each.header("webhook-id") for each in receiver.requests("/")]


def test_events_are_sent_on_in_order_as_they_were_signed_and_committed_behind_the_answer(receiver: Receiver) -> None:
    service, seen = PullService(), Seen()
    listen(service, receiver, seen)
    assert sent(receiver) == ["evt_1", "evt_2", "evt_3"]
    assert [each.body.decode() for each in receiver.requests("/")] == [body(1), body(2), body(3)]
    assert service.reads == [
        {"consumer": "me", "limit": "100", "wait": "20"},
        {"after": "2", "limit": "100", "wait": "20"},
    ]
    assert service.commits == ["2"]  # it was ended before the third was seen to be answered


def test_what_was_not_committed_comes_again_to_the_next_process(receiver: Receiver) -> None:
    service = PullService()
    listen(service, receiver, Seen(ends_after=2))
    assert service.commits == ["1"]
    listen(service, receiver, Seen(ends_after=2))
    assert sent(receiver) == ["evt_1", "evt_2", "evt_2", "evt_3"]


@pytest.mark.parametrize("down", [answer(503), answer(429), reset(), close_without_answer(), never_answer()])
def test_a_receiver_that_is_down_is_tried_again_and_nothing_is_passed_over(receiver: Receiver, down: Behaviour) -> None:
    receiver.script("/", down, down, answer(200))
    service, seen = PullService(), Seen()
    listen(service, receiver, seen)
    assert seen.events == [("evt_1", 200), ("evt_2", 200), ("evt_3", 200)]
    assert sent(receiver)[:4] == ["evt_1", "evt_1", "evt_1", "evt_2"]
    assert len(seen.troubles) == 2
    assert seen.slept == [0.5, 1.0]


def test_nobody_at_the_port_is_a_receiver_that_is_down(receiver: Receiver) -> None:
    gone = Receiver()
    with gone:
        pass
    seen = Seen()

    def end(seconds: float) -> None:
        raise KeyboardInterrupt

    service = PullService()
    made = listener(service, receiver, seen)
    made.receiver, made.sleep = local(gone.url("/")), end
    with pytest.raises(KeyboardInterrupt):
        made.run()
    assert seen.troubles == ["nothing listens there"]
    assert service.commits == []


def test_a_signature_that_gets_too_old_while_the_receiver_is_down_is_made_anew(receiver: Receiver) -> None:
    receiver.script("/", *[answer(503)] * 16, answer(200))
    service, seen = PullService(), Seen()
    listen(service, receiver, seen)
    assert sum(seen.slept) > FRESH_SECONDS
    assert [read.get("consumer") for read in service.reads][:2] == ["me", "me"]
    assert [event_id for event_id, _ in seen.events] == ["evt_1", "evt_2", "evt_3"]


def test_an_answer_counts_whatever_it_is_unless_errors_are_to_be_tried_again(receiver: Receiver) -> None:
    receiver.script("/", answer(500), answer(200))
    service, seen = PullService(), Seen()
    made = listen(service, receiver, seen)
    assert seen.events[0] == ("evt_1", 500)
    assert (made.tally.good, made.tally.bad) == (1, 1)  # without the one that ended it
    receiver.script("/", answer(500), answer(200))
    seen = Seen(ends_after=1)
    listen(PullService(), receiver, seen, retry_errors=True)
    assert seen.events == [("evt_1", 200)]


def test_an_event_without_its_payload_is_shown_and_passed_over(receiver: Receiver) -> None:
    service, seen = PullService(empty={2}), Seen()
    listen(service, receiver, seen)
    assert seen.events == [("evt_1", 200), ("evt_2", None), ("evt_3", 200)]
    assert sent(receiver) == ["evt_1", "evt_3"]


def test_what_was_signed_with_another_secret_is_not_sent_on(receiver: Receiver) -> None:
    service = PullService()
    other = "whsec_" + base64.b64encode(b"another").decode()
    with pytest.raises(DoesNotFit, match="evt_1"):
        listener(service, receiver, Seen(), secret=other).run()
    assert (sent(receiver), service.commits) == ([], [])


def test_a_network_that_is_gone_is_waited_for(receiver: Receiver) -> None:
    service, seen = PullService(), Seen()
    service.faults = [httpx.ConnectError("refused"), httpx.ReadTimeout(""), httpx.Response(503), httpx.Response(429)]
    listen(service, receiver, seen)
    assert sent(receiver) == ["evt_1", "evt_2", "evt_3"]
    assert seen.slept == [0.5, 1, 2, 4]


def test_a_commit_that_fails_is_made_up_for_by_the_next(receiver: Receiver) -> None:
    service, seen = PullService(events=4), Seen(ends_after=4)

    def failing(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/commit") and not failed:
            failed.append(request)
            raise httpx.ReadError("")
        return service(request)

    failed: list[httpx.Request] = []
    ticks = iter(range(0, 1_000_000, int(COMMIT_SECONDS) + 1))
    listen(failing, receiver, seen, monotonic=lambda: next(ticks))
    assert failed
    assert service.commits == ["2", "3"]


def test_where_no_place_to_wait_is_free_it_asks_again_when_it_was_told(receiver: Receiver) -> None:
    service, seen = PullService(), Seen()
    page = {"items": [], "next_cursor": "0", "has_more": False}
    service.faults = [httpx.Response(200, json=page, headers={"Retry-After": "5"})]
    listen(service, receiver, seen)
    assert seen.slept == [5.0]


@pytest.mark.parametrize(
    ("status", "problem", "error", "words"),
    [
        (401, {}, NotLoggedIn, "not valid"),
        (404, {"detail": "there is no webhook wh_1"}, NotFound, "there is no webhook"),
        (404, {"detail": "There is no such route."}, NotFound, "older than this command"),
        (409, {"detail": "the webhook is paused"}, Refused, "paused"),
        (422, {"detail": "consumer: stands at ..."}, Refused, "stands at"),
    ],
)
def test_what_does_not_pass_by_itself_ends_it_in_words(
    receiver: Receiver, status: int, problem: dict[str, str], error: type[Exception], words: str
) -> None:
    service = PullService()
    service.faults = [httpx.Response(status, json=problem)]
    with pytest.raises(error, match=words):
        listener(service, receiver, Seen()).run()
    assert sent(receiver) == []


def test_two_of_one_machine_do_not_read_as_one(tmp_path: Path) -> None:
    with Claim("http://service", "wh_1", "me"):
        with pytest.raises(Refused, match="Another `pyhooks listen`"), Claim("http://service", "wh_1", "me"):
            pass
        with Claim("http://service", "wh_1", "you"):
            pass
    with Claim("http://service", "wh_1", "me"):
        pass


def test_a_commit_of_another_machine_is_noticed_while_it_is_recent() -> None:
    at, clock = "2026-11-27T12:00:00Z", SIGNED_AT.timestamp()
    with Claim("http://service", "wh_1", "me") as claim:
        claim.check(None, clock)
        claim.check(at, clock + 61)
        with pytest.raises(Refused, match="10 s ago"):
            claim.check(at, clock + 10)
        claim.note(at)
        claim.check(at, clock + 10)


class Webhooks:
    """The management of webhooks, as far as `listen` uses it."""

    def __init__(self, *there: dict[str, Any]) -> None:
        self.there = {each["id"]: {"status": "active", "kind": "pull", "name": "n"} | each for each in there}
        self.subscriptions = [{"id": "sub_1", "event_type": "table.*", "is_active": True, "a new field": 1}]
        self.calls: list[str] = []
        self.knows_pull = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        parts = request.url.path.removeprefix("/api/v1/").split("/")
        document = json.loads(request.content) if request.content else {}
        if request.method != "GET":
            self.calls.append(f"{request.method} {'/'.join(parts)} {document.get('event_type', '')}".strip())
        if parts == ["webhooks"] and request.method == "POST":
            if not self.knows_pull:
                return httpx.Response(422, json={"detail": "kind: is not a known field"})
            return httpx.Response(201, json=document | {"id": "wh_new", "secret": SECRET})
        if parts == ["webhooks"]:
            return httpx.Response(200, json={"items": list(self.there.values()), "next_cursor": None})
        if parts[-1] == "regenerate-secret":
            return httpx.Response(200, json={"secret": SECRET})
        if "subscriptions" in parts and request.method == "GET":
            return httpx.Response(200, json={"items": self.subscriptions, "next_cursor": None})
        if "subscriptions" in parts:
            return httpx.Response(204) if request.method == "DELETE" else httpx.Response(201, json={})
        return httpx.Response(200, json=self.there[parts[1]])

    def api(self) -> Api:
        return Api("http://service", "key", retries=0, transport=httpx.MockTransport(self))


def test_the_first_time_a_webhook_is_made_and_its_secret_kept(tmp_path: Path) -> None:
    webhooks, secrets = Webhooks(), FileSecrets(tmp_path / "secrets.json")
    made = take_up(webhooks.api(), secrets, "me", ["record.*"], "7", new_secret=False)
    assert (made.webhook_id, made.secret, made.is_new) == ("wh_new", SECRET, True)
    webhooks.there = {"wh_new": {"id": "wh_new", "name": "n", "kind": "pull", "status": "active"}}
    assert existing(webhooks.api(), secrets, "wh_new", new_secret=False).secret == SECRET


def test_the_next_time_it_is_taken_up_with_the_types_chosen_now_and_none_is_missed_meanwhile(tmp_path: Path) -> None:
    webhooks = Webhooks({"id": "wh_1", "metadata": {"pyhooks_listen": "me"}}, {"id": "wh_2", "metadata": {}})
    found = take_up(webhooks.api(), FileSecrets(tmp_path / "s.json"), "me", ["record.*"], None, new_secret=False)
    assert (found.webhook_id, found.secret) == ("wh_1", None)
    assert webhooks.calls == ["POST webhooks/wh_1/subscriptions record.*", "DELETE webhooks/wh_1/subscriptions/sub_1"]


def test_a_webhook_that_cannot_be_read_is_refused_in_words(tmp_path: Path) -> None:
    webhooks, secrets = Webhooks({"id": "wh_1", "kind": "push", "url": "https://x"}), FileSecrets(tmp_path / "s.json")
    with pytest.raises(Refused, match="pushed to https://x"):
        existing(webhooks.api(), secrets, "wh_1", new_secret=False)
    webhooks.there["wh_1"] |= {"kind": "pull", "status": "paused"}
    with pytest.raises(Refused, match="is paused"):
        existing(webhooks.api(), secrets, "wh_1", new_secret=False)
    webhooks.knows_pull, webhooks.there = False, {}
    with pytest.raises(Refused, match="has no pull webhooks"):
        take_up(webhooks.api(), secrets, "me", ["*"], None, new_secret=False)
