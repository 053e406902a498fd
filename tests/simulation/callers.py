"""The platform, which publishes, and the owners of webhooks, who change them: by the API, whose calls fail too.

And the operator.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from tests.fakes.api import Api
from tests.fakes.functions import Services
from tests.fakes.owners import owner_of
from tests.fakes.sqs import Message
from tests.fakes.world import World
from tests.simulation.engine import Engine
from tests.simulation.ledger import Known, Ledger
from tests.simulation.scenario import HOUR, MINUTE, Interest, for_pull
from webhooks.errors import Conflict, NotFound, Unavailable
from webhooks.models.caller import Caller
from webhooks.models.replay import ReplaySelection
from webhooks.store import schema

T = TypeVar("T")
BURSTS = (1, 2, 5, 10, 20, 50)
PLATFORM = Caller("platform", frozenset(), frozenset({"events:write:any"}))
MOST_SUBSCRIPTIONS = 12
RECOVERED_RATE = 50


def redrive(world: World) -> None:
    """What an operator does after the alarm: messages that are not refused go back to where they came from.

    Those of an erased tenant are left out: a message of the ingest queue's own door counts as published when it goes
    back.
    """
    for dead, source in (
        (world.ingest_dead_letter_queue, world.ingest_queue),
        (world.jobs_dead_letter_queue, world.jobs_queue),
    ):
        for message in [m for m in dead.messages.values() if _is_ours(m)]:
            if not _is_erased(world, message):
                world.send_raw(source, message.body)
            del dead.messages[message.message_id]


def _is_ours(message: Message) -> bool:
    """Whether an operator sends a dead message back: not what has its reason beside it, nor plain garbage."""
    words = ("job_id", "erase", "events", "detail", "continue")
    return "reason" not in message.attributes and any(word in message.body for word in words)


def _is_erased(world: World, message: Message) -> bool:
    """Whether it is of a workspace that was erased after it was sent."""
    erased = [json.loads(item["erasure"]["S"]) for item in world.items("ws:") if item["pk"]["S"] == schema.ERASED_PK]
    until = {each["scope"]: each["requested_at_ms"] for each in erased}
    events = json.loads(message.body).get("events", ())
    return any(message.sent_at_ms <= until.get(f"ws:{each['workspace_id']}", 0) for each in events)


class Client:
    """Somebody who calls the API, and calls again until it answers. Each has a process of the api to itself."""

    def __init__(self, engine: Engine, services: Services) -> None:
        self._engine = engine
        self._services = services
        self._api: Api | None = None

    def ask(self, work: Callable[[Api], T]) -> T:
        """What the work returns in the end. 503 and 502 are repeated; other errors are raised."""
        engine = self._engine
        while True:
            answers: list[T] = []
            if self._api is None or engine.hits("recycled", "api", 0.01):
                self._api = Api(engine.services_for(self._services, "api"))
            api = self._api
            try:
                if not engine.alive("api", lambda api=api, to=answers: to.append(work(api)), 0):
                    self._api = None
            except Unavailable:
                pass
            if answers:
                return answers[0]
            engine.scheduler.sleep_ms(engine.rng.randrange(500, 20_000))


class Platform:
    """Publishes in bursts, half of them by EventBridge."""

    def __init__(self, engine: Engine, world: World, ledger: Ledger, client: Client) -> None:
        self._engine = engine
        self._world = world
        self._ledger = ledger
        self._client = client

    def publish(self, on_event: Callable[[], None]) -> None:
        """All events of the plan."""
        plan = self._engine.plan
        gap_ms = plan.publishing_ms / max(1, plan.events)
        due_ms, number = float(self._engine.clock.ms), 0
        while number < plan.events:
            size = min(plan.rng.choice(BURSTS), plan.events - number)
            due_ms += plan.rng.expovariate(1 / (gap_ms * size))
            self._engine.scheduler.sleep_until(round(due_ms))
            documents = [plan.event(number + position) for position in range(size)]
            number += size
            for document in documents:
                self._ledger.published[document["id"]] = (document, self._engine.clock.ms)
                on_event()
            door = plan.rng.random()
            if door < 0.5:
                key = f"burst-{number}"
                self._client.ask(lambda api, d=documents, k=key: api.publishing.publish(PLATFORM, d, k))
            elif door < 0.6:
                for _ in range(plan.rng.choice((1, 1, 2))):  # whose answer was lost is sent again
                    self._world.publish(*documents, token=f"burst-{number}")
            else:
                for start in range(0, size, 10):
                    self._world.put_event(*documents[start : start + 10])
            if plan.faults:
                self._misbehave(documents)

    def _misbehave(self, documents: list[dict[str, Any]]) -> None:
        rng = self._engine.plan.rng
        if rng.random() < 0.05:
            self._world.publish(rng.choice(documents))  # published again, under another token
        if rng.random() < 0.1:
            self._mistake(rng.choice(documents))
        if rng.random() < 0.02:
            self._world.send_raw(self._world.ingest_queue, rng.choice(["{", '{"continue": 1}', "x"]))
            self._world.send_raw(self._world.delivery_queue, "garbage")

    def _mistake(self, document: dict[str, Any]) -> None:
        """Publish another event under an id that is taken, or will be."""
        other = {**document, "metadata": {"mistake": self._engine.plan.rng.randrange(10**9)}}
        door = self._engine.plan.rng.randrange(3)
        if door == 0:
            with suppress(Conflict):  # nothing was taken
                self._client.ask(lambda api: api.publishing.publish(PLATFORM, other, None))
                self._ledger.also(other)
            return
        self._ledger.also(other)
        if door == 1:
            self._world.put_event(other)
        else:
            self._world.publish(other)


class Owners:
    """Change their webhooks while all goes on, and resume what is paused in the end."""

    def __init__(
        self, engine: Engine, world: World, ledger: Ledger, client: Client, on_read: Callable[[Known], None]
    ) -> None:
        self._engine = engine
        self._world = world
        self._ledger = ledger
        self._client = client
        self._on_read = on_read  # of a webhook that is to have a consumer
        self._rng = engine.plan.rng
        self.jobs: dict[str, str] = {}  # that the API has promised, and for which webhook

    def register_all(self) -> None:
        """Most of the webhooks are there from the beginning."""
        for number in range(self._engine.plan.webhooks):
            self._register(number)

    def _register(self, number: int) -> None:
        plan = self._engine.plan
        fields = plan.webhook_fields()
        if plan.is_pull(number):
            fields = for_pull(fields)
        name, key = f"w{number}", f"register-{number}"
        webhook = self._client.ask(lambda api: api.owners.register(name, event_types=(), idempotency_key=key, **fields))
        self._ledger.register(webhook, fields["status"])
        self._world.receivers.behave(
            webhook.url, plan.behaviour(self._engine.start_ms, self._engine.start_ms + plan.publishing_ms)
        )
        known = self._ledger.webhooks[webhook.webhook_id]
        if plan.is_read(number):
            self._on_read(known)
        for _ in range(self._rng.randrange(1, 3)):
            self._subscribe(known)

    def meddle(self, is_publishing: Callable[[], bool]) -> None:
        """Until the platform is done; then everything is resumed."""
        number = self._engine.plan.webhooks
        while is_publishing():
            self._engine.scheduler.sleep_ms(round(self._rng.expovariate(1 / (4 * MINUTE))))
            if self._rng.random() < 0.06:
                self._register(number)
                number += 1
                continue
            known = self._rng.choice(list(self._ledger.webhooks.values()))
            if self._is_there(known):
                self._unless_erased(known, self._change)
        self._engine.scheduler.sleep_ms(self._rng.randrange(HOUR))
        for known in list(self._ledger.webhooks.values()):
            if known.status == "paused" and self._is_there(known):
                self._unless_erased(known, lambda each: self._set_status(each, "active"))

    def _is_there(self, known: Known) -> bool:
        return known.status != "deleted" and known.webhook.webhook_id not in self._ledger.forgotten.webhooks

    def _unless_erased(self, known: Known, work: Callable[[Known], None]) -> None:
        try:
            work(known)
        except NotFound:
            if self._is_there(known):
                raise

    def _change(self, known: Known) -> None:
        roll = self._rng.random()
        if roll < 0.15:
            self._subscribe(known)
        elif roll < 0.25:
            self._change_subscription(known)
        elif roll < 0.3:
            self._unsubscribe(known)
        elif roll < 0.55:
            self._set_status(known, self._rng.choice(["paused", "active", "active", "inactive"]))
        elif roll < 0.76 and known.webhook.kind == "pull":
            return  # nothing of it is for sending
        elif roll < 0.7:
            changes = {"rate_limit_rps": self._rng.choice([None, 2, 50]), "max_retries": self._rng.randrange(6)}
            with self._ledger.changing(known):
                self._client.ask(lambda api: api.owners.change(known.webhook, **changes))
        elif roll < 0.76:
            is_static = self._rng.random() < 0.5
            with self._ledger.changing(known):
                self._client.ask(lambda api: api.owners.change(known.webhook, static_egress=is_static))
        elif roll < 0.79:
            with self._ledger.changing(known, status="deleted"):
                self._once(lambda api: api.owners.delete(known.webhook))
        elif known.status == "active":
            self.send_again(known)

    def _once(self, work: Callable[[Api], Any]) -> None:
        with suppress(NotFound):  # an earlier call, whose answer was lost, has done it
            self._client.ask(work)

    def _set_status(self, known: Known, status: str) -> None:
        with self._ledger.changing(known, status=status):
            self._client.ask(lambda api: api.owners.change(known.webhook, status=status))

    def _subscribe(self, known: Known) -> None:
        if len(known.subscriptions) >= MOST_SUBSCRIPTIONS:
            return
        interest = self._engine.plan.interest()
        wanted, asked = interest.request(), list[bool]()
        webhook, who = known.webhook, owner_of(known.webhook)

        def work(api: Api) -> str:
            if asked:  # it may be there already
                present, _ = api.owners.subscriptions.page(who, webhook.webhook_id, after=None, limit=100)
                new = [each.subscription_id for each in present if each.subscription_id not in known.subscriptions]
                if new:
                    return new[0]
            asked.append(True)
            return api.owners.subscribe(webhook, **wanted)

        with self._ledger.changing(known, interests=(*known.subscriptions.values(), interest)):
            known.subscriptions[self._client.ask(work)] = interest

    def _pick(self, known: Known) -> str | None:
        return self._rng.choice(list(known.subscriptions)) if known.subscriptions else None

    def _change_subscription(self, known: Known) -> None:
        if (subscription_id := self._pick(known)) is None:
            return
        interest = self._engine.plan.interest()
        after = {**known.subscriptions, subscription_id: interest}
        with self._ledger.changing(known, interests=tuple(after.values())):
            self._client.ask(
                lambda api: api.owners.change_subscription(known.webhook, subscription_id, **interest.request())
            )
        known.subscriptions = after

    def _unsubscribe(self, known: Known) -> None:
        if (subscription_id := self._pick(known)) is None:
            return
        after: dict[str, Interest] = {name: i for name, i in known.subscriptions.items() if name != subscription_id}
        with self._ledger.changing(known, interests=tuple(after.values())):
            self._once(lambda api: api.owners.unsubscribe(known.webhook, subscription_id))
        known.subscriptions = after

    # ---- what has failed goes out again

    def send_again(self, known: Known) -> None:
        """One dead letter, all of them, or all that was missed."""
        webhook_id, who = known.webhook.webhook_id, owner_of(known.webhook)
        letters = self._ledger.letters.get(webhook_id, [])
        roll = self._rng.random()
        with suppress(Conflict, NotFound):  # delivered meanwhile, or the webhook is not active any more
            if roll < 0.4 and letters:
                letter = self._rng.choice(letters)
                self._client.ask(lambda api: api.dead_letters.replay(who, webhook_id, letter))
            elif roll < 0.6 and letters:
                letter = self._rng.choice(letters)
                self._client.ask(lambda api: api.deliveries.retry(who, webhook_id, letter))
            elif roll < 0.8 and (waiting := self._waiting_in_sqs(webhook_id)):
                delivery_id = self._rng.choice(waiting)
                self._client.ask(lambda api: api.deliveries.retry(who, webhook_id, delivery_id))
            elif roll < 0.9:
                self.replay(known)
            else:
                self.recover(known, self._engine.clock.ms - self._rng.randrange(5 * MINUTE, 2 * HOUR))

    def _waiting_in_sqs(self, webhook_id: str) -> list[str]:
        """Deliveries whose next attempt waits in the queue."""
        queues = [self._world.sources[name].queue for name in ("sender", "static_sender")]
        received = [each for queue in queues for each in self._world.messages(queue) if each.receive_count]
        metas = [json.loads(m.attributes["meta"]["StringValue"]) for m in received if "meta" in m.attributes]
        return [meta["d"] for meta in metas if meta["w"] == webhook_id]

    def replay(self, known: Known) -> None:
        """All dead letters of a webhook, or of all webhooks of its owner, as a job."""
        webhook_id, who = known.webhook.webhook_id, owner_of(known.webhook)
        rate = self._rng.choice([2, 20, 100])
        if rate == 20:
            job = self._client.ask(lambda api: api.bulk_replays.start(who, ReplaySelection(from_ms=0), rate))
        else:
            job = self._client.ask(lambda api: api.dead_letters.replay_many(who, webhook_id, ReplaySelection(), rate))
        self.jobs[job.job_id] = job.webhook_id
        self._engine.figures.replays += 1

    def recover(self, known: Known, from_ms: int) -> None:
        """All that a webhook missed since then, as a job."""
        webhook_id, who = known.webhook.webhook_id, owner_of(known.webhook)
        selection = ReplaySelection(from_ms=from_ms)
        self._ledger.recovered(webhook_id, from_ms)
        job = self._client.ask(lambda api: api.recovery.start(who, webhook_id, selection, RECOVERED_RATE))
        self.jobs[job.job_id] = webhook_id
        self._ledger.recoveries[job.job_id] = (webhook_id, from_ms, job.created_at_ms)
        self._engine.figures.replays += 1
