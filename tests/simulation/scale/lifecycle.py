"""The life of deliveries as a Hypothesis state machine over the real use cases: any order of what can happen to them.

Faults strike at any port call of any function, copies of messages come when they like, and things happen while a
request is under way. After each step every delivery must still have something that carries it on; at the end all is
well again, and then none may be left behind.
"""

import logging
import random
import threading
from collections.abc import Callable
from typing import Any, cast

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    get_state_machine_test,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.fakes.api import Api
from tests.fakes.event_source import Crash
from tests.fakes.faults import FAULTS
from tests.fakes.functions import COMPOSITIONS
from tests.fakes.owners import caller, url_of
from tests.fakes.receivers import Answer
from tests.fakes.world import World, event
from tests.simulation.scale.lifecycle_checks import Inspection
from tests.simulation.seeding import seeded_ids
from webhooks.errors import WebhooksError
from webhooks.messages import META_ATTRIBUTE
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.replay import ReplaySelection
from webhooks.models.webhook import Webhook

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
ANSWERS = {
    "ok": Answer(200),
    "broken": Answer(500),
    "busy": Answer(503, headers={"Retry-After": "100"}),
    "too many": Answer(429, headers={"Retry-After": "30"}),
    "gone": Answer(410),
    "refused": Answer(error_code="refused_address"),
    "slow": Answer(latency_ms=60_000),
    "unreachable": Answer(error_code="connect_refused"),
}
# A fault at the nth call, or none; crashes are what does most, and the first calls are those that all batches make.
KINDS = st.sampled_from((*FAULTS, *(("crash_before", "crash_after") * 5)))
PLACES = st.none() | st.tuples(KINDS, st.integers(1, 7))
RELEASE_PLACES = st.none() | st.tuples(KINDS, st.integers(16, 28))  # beyond its look at each shard of what is due
Place = tuple[str, int] | None
STEPS = 25


class Faults:
    """The plan of one fault at a time."""

    def __init__(self) -> None:
        self.kind, self.left = "", 0

    def arm(self, place: Place) -> None:
        self.kind, self.left = place or ("", 0)

    def __call__(self, _call: str) -> Any:
        self.left -= 1
        return self.kind if self.left == 0 else None


class DeliveryLife(RuleBasedStateMachine):
    """Two webhooks, a handful of events, and everything that can become of their deliveries."""

    def __init__(self) -> None:
        super().__init__()
        self.ids = seeded_ids(random.Random(0))
        self.ids.__enter__()
        self.faults = Faults()
        self.world = World(plan=self.faults)
        self.api = Api(self.world.services)
        self.webhooks: list[Webhook] = []
        self.published = 0
        self.copies: dict[tuple[str, str], int] = {}  # (body, meta) of messages met on the delivery queue: when
        self.inspection = Inspection(self.world)
        self.jobs: set[str] = set()  # that the API answered for
        self.meanwhile: Callable[[], object] | None = None

    @initialize(
        retries=st.sampled_from([0, 2, 9]),
        rate=st.sampled_from([None, None, 2]),
        answers=st.tuples(st.sampled_from(sorted(ANSWERS)), st.sampled_from(sorted(ANSWERS))),
        count=st.integers(1, 12),
    )
    def register(self, retries: int, rate: int | None, answers: tuple[str, str], count: int) -> None:
        for name, limit, answer in (("w0", rate, answers[0]), ("w1", None, answers[1])):
            webhook = self.world.owners.register(name, max_retries=retries, rate_limit_rps=limit, timeout_seconds=15)
            self.webhooks.append(webhook)
            self._behave(webhook, answer)
        self.publish(count, None)

    # ---- what happens

    @rule(count=st.integers(1, 5), place=PLACES)
    def publish(self, count: int, place: Place) -> None:
        self.world.publish(*(event(f"e{self.published + n}") for n in range(count)))
        self.published += count
        self._invoke("ingest", place)

    @rule(place=PLACES)
    def send(self, place: Place) -> None:
        closed = {w.url for w in self.webhooks if self._status(w) != "active"}
        before, undisturbed = len(self.world.receivers.log), self.meanwhile is None
        self._invoke("sender", place)
        seen = {each.url for each in self.world.receivers.log[before:]}
        assert not (undisturbed and seen & closed), "something was sent to a webhook that takes nothing"

    @rule()
    def work(self) -> None:
        self.world.work()

    @rule(place=RELEASE_PLACES, at_send=PLACES)
    def work_a_minute(self, place: Place, at_send: Place) -> None:
        self.world.work("sender")
        self.world.clock.advance_to(self.world.clock.ms + MINUTE)
        self.release(place)
        self.send(at_send)

    @rule(place=RELEASE_PLACES)
    def release(self, place: Place) -> None:
        self.faults.arm(place)
        self.world.release()
        self.faults.arm(None)

    @rule(place=PLACES)
    def bury(self, place: Place) -> None:
        self._invoke("dead_letter_writer", place)

    @rule(place=PLACES)
    def run_a_job(self, place: Place) -> None:
        self._invoke("jobs", place)

    @rule(which=st.integers(0, 1), answer=st.sampled_from(sorted(ANSWERS)))
    def the_receiver_changes(self, which: int, answer: str) -> None:
        self._behave(self.webhooks[which], answer)

    @rule(which=st.integers(0, 1), status=st.sampled_from(["active", "active", "paused", "inactive"]))
    def the_owner_sets_the_status(self, which: int, status: str) -> None:
        self._set_status(which, status)

    @rule(which=st.integers(0, 1), chance=st.integers(0, 9))
    def the_owner_deletes_it(self, which: int, chance: int) -> None:
        if chance == 0 and self._status(self.webhooks[which]) != "deleted":
            self.world.owners.delete(self.webhooks[which])

    @precondition(lambda self: self.inspection.records)
    @rule(pick=st.integers(0, 99), place=PLACES)
    def the_owner_retries(self, pick: int, place: Place) -> None:
        record = self._picked(pick)
        self._ask(place, lambda: self.api.deliveries.retry(caller(7), record.webhook_id, record.delivery_id))

    @precondition(lambda self: self.world.items("dead#"))
    @rule(pick=st.integers(0, 99), place=PLACES)
    def the_owner_replays(self, pick: int, place: Place) -> None:
        letters = self.world.dead_letters()
        letter = letters[pick % len(letters)]
        self._ask(place, lambda: self.api.dead_letters.replay(caller(7), letter.webhook_id, letter.delivery_id))

    @precondition(lambda self: self.inspection.records)
    @rule(which=st.integers(0, 1), missed=st.booleans(), rate=st.sampled_from([0.05, 1000]), place=PLACES)
    def the_owner_replays_all(self, which: int, missed: bool, rate: float, place: Place) -> None:
        webhook_id, all_of_it = self.webhooks[which].webhook_id, ReplaySelection(from_ms=0)
        start = self.api.recovery.start if missed else self.api.dead_letters.replay_many
        self._ask(place, lambda: self.jobs.add(start(caller(7), webhook_id, all_of_it, rate).job_id))

    @precondition(lambda self: self.copies)
    @rule(pick=st.integers(0, 99))
    def an_old_copy_comes(self, pick: int) -> None:
        """SQS keeps a message for ten days at most, and so does this."""
        recent = [each for each, at_ms in self.copies.items() if self.world.clock.ms - at_ms < 10 * DAY]
        if recent:
            self.world.send_raw(self.world.delivery_queue, *recent[pick % len(recent)])

    @rule(duration_ms=st.sampled_from([SECOND, 6 * SECOND, MINUTE, 10 * MINUTE]))
    def time_passes(self, duration_ms: int) -> None:
        self.world.clock.advance_to(self.world.clock.ms + duration_ms)

    @rule(duration_ms=st.sampled_from([HOUR, 6 * HOUR, DAY]))
    def much_time_passes(self, duration_ms: int) -> None:
        end_ms = self.world.clock.ms + duration_ms
        while self._next_ms() < end_ms:
            self.world.clock.advance_to(self._next_ms())
            self.world.release()
            self.world.work()
        self.world.clock.advance_to(end_ms)

    @precondition(lambda self: self.meanwhile is None)
    @rule(what=st.sampled_from(["retry", "pause", "resume", "stop", "copy", "release"]), pick=st.integers(0, 99))
    def something_comes_between(self, what: str, pick: int) -> None:
        """While the next request is under way."""
        self.meanwhile = {
            "retry": lambda: self.inspection.records and self.the_owner_retries(pick, None),
            "pause": lambda: self._set_status(pick % 2, "paused"),
            "resume": lambda: self._set_status(pick % 2, "active"),
            "stop": lambda: self._set_status(pick % 2, "inactive"),
            "copy": lambda: self._another_sender(pick),
            "release": self.world.release,
        }[what]

    # ---- what must hold

    @invariant()
    def every_delivery_is_carried_on(self) -> None:
        self.inspection.every_delivery_is_carried_on()
        for message in self.world.messages(self.world.delivery_queue):
            copy = message.body, message.attributes[META_ATTRIBUTE]["StringValue"]
            self.copies.setdefault(copy, self.world.clock.ms)

    def teardown(self) -> None:
        """All is well again, and time passes until nothing is pending."""
        try:
            if self.webhooks:
                self._come_to_rest()
                published = {f"e{number}" for number in range(self.published)}
                self.inspection.nothing_is_left_behind(published, self.jobs)
        finally:
            self.ids.__exit__(None, None, None)

    # ---- how

    def _come_to_rest(self) -> None:
        self.faults.arm(None)
        self.meanwhile = None
        for which, webhook in enumerate(self.webhooks):
            self._behave(webhook, "ok")
            self._set_status(which, "active")
        for _ in range(3_000):
            self.world.work()
            if self.world.is_quiet():
                break
            self.world.clock.advance_to(self._next_ms())
            self.world.release()
        assert self.world.is_quiet(), "it never comes to rest"

    def _invoke(self, name: str, place: Place) -> None:
        self.faults.arm(place)
        self.world.poll_through(name)
        self.faults.arm(None)

    def _ask(self, place: Place, request: Callable[[], object]) -> None:
        """A request of the API, whose process may die of it."""
        self.faults.arm(place)
        try:
            request()
        except (Crash, WebhooksError):
            pass
        finally:
            self.faults.arm(None)

    def _behave(self, webhook: Webhook, answer: str) -> None:
        def behaviour(_now_ms: int, _count: int) -> Answer:
            happening, self.meanwhile = self.meanwhile, None
            if happening is not None:
                kind, left = self.faults.kind, self.faults.left
                self.faults.arm(None)
                happening()
                self.faults.arm((kind, left))
            return ANSWERS[answer]

        self.world.receivers.behave(url_of(webhook.name), behaviour)

    def _another_sender(self, pick: int) -> None:
        """A second process takes what else there is, a copy of an old message among it."""
        if self.copies:
            self.an_old_copy_comes(pick)
        source = self.world.sources["sender"]
        batch = source.take()
        if batch:
            source_of_its_own = type(source)(
                source.sqs, source.queue, COMPOSITIONS["sender"](self.world.services), source.batch_size
            )
            thread = threading.Thread(target=source_of_its_own.hand_over, args=(batch,))  # an event loop of its own
            thread.start()
            thread.join()

    def _set_status(self, which: int, status: str) -> None:
        if self._status(self.webhooks[which]) != "deleted":
            self.world.owners.change(self.webhooks[which], status=status)

    def _status(self, webhook: Webhook) -> str:
        return self.world.owners.webhook(webhook).status

    def _picked(self, pick: int) -> DeliveryRecord:
        records = list(self.inspection.records.values())
        return records[pick % len(records)]

    def _next_ms(self) -> int:
        return self.inspection.next_ms(webhook.webhook_id for webhook in self.webhooks)


def run_lives(job: tuple[int, int]) -> tuple[int, int, str]:
    """(seed, runs) to (seed, runs, what broke and the shortest way there): in whatever process."""
    number, runs = job
    logging.disable(logging.CRITICAL)
    test = get_state_machine_test(
        DeliveryLife,
        settings=settings(
            max_examples=runs,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=cast("Any", list(HealthCheck)),
        ),
    )
    try:
        seed(number)(test)()
    except Exception as exc:
        ways = "\n".join(getattr(exc, "__notes__", ()))
        return number, runs, f"{type(exc).__name__}: {exc}\n{ways}"
    finally:
        logging.disable(logging.NOTSET)
    return number, runs, ""
