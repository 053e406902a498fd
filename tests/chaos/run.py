"""One run of chaos: the deployed local stack, a proxy that plays AWS's bad days, killed functions, and receivers that
misbehave; then the ledger of the simulation. The seed decides who does what, not when: processes are real here."""

import contextlib
import itertools
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

from localstack.stack import LocalStack
from tests.chaos.proxy import FAIR, FaultProxy, Weather
from tests.chaos.receivers import TIMEOUT_SECONDS, Receivers
from tests.chaos.stack_world import StackWorld, lead_through
from tests.simulation.ledger import Held, Known, Ledger, Verdict
from tests.simulation.scenario import Interest, Plan
from webhooks.models.delivery import DeliveryRecord

REQUESTS_BETWEEN_KILLS = 20
NOBODY = "http://127.0.0.1:9/"  # the discard port: nobody listens there
PATIENCE_SECONDS = 30.0  # of a caller whose events are not accepted

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Script:
    """What happens. `manners` are the receivers', one a webhook."""

    events: int
    manners: tuple[str, ...]
    weather: Weather
    seed: int = 1
    events_a_second: float = 15.0
    seconds_between_kills: float = 8.0
    # Longer than a function's start and batch take on a busy machine: when two have a message in hand and one is killed
    # after its request, the other takes the message away, and nobody can know of that request.
    visibility_seconds: int = 25
    senders: int = 4
    meddles: bool = False  # owners pause and resume
    recovers: bool = False  # owners send again what was given up, while the faults go on
    at_most_seconds: float = 2_400.0

    @staticmethod
    def can_kill() -> bool:
        """Whether the processes of functions can be told here."""
        return Path("/proc/self/environ").exists()


SHORT = Script(
    events=300,
    manners=("fair", "fair", "flaky", "slow"),
    weather=Weather(once=0.08, throughout=0.02, refusing=0.1),
    events_a_second=30,
    seconds_between_kills=4,
    senders=2,
    at_most_seconds=100,
)
LONG = Script(
    events=5_000,
    manners=("fair", "fair", "fair", "flaky", "flaky", "slow", "overloaded", "down", "late", "unreachable"),
    weather=Weather(once=0.08, throughout=0.02, refusing=0.05),
    meddles=True,
    recovers=True,
)


@dataclass(slots=True)
class Figures:
    """What happened, beside the ledger's verdict."""

    published: int = 0
    refusals: int = 0  # answers of the API that had the caller try again
    kills: Counter[str] = field(default_factory=Counter)
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    redriven: int = 0
    recoveries: int = 0
    seconds: float = 0.0


class ChaosLedger(Ledger):
    """The simulation's, without what a local stack cannot show."""

    def _pages_put_aside(self) -> Set[str]:
        return frozenset()  # no event here has a second page

    def _put_aside(self) -> Mapping[str, set[str]]:
        """Nothing is refused here, and what ingest received too often goes to it again."""
        return {}

    def _check_announcements(self, verdict: Verdict) -> None:
        """No webhook is disabled here: no receiver answers 410, and five days do not pass."""

    def _check_attempts(self, record: DeliveryRecord, seen: Sequence[Any], verdict: Verdict) -> None:
        """A receive of which nothing could be recorded is one `unknown` attempt, though its request may have gone out
        twice: on a kept connection that the receiver ended, and on a new one. Both have the same signature."""
        twice = len(seen) - len({each.headers["X-PyAirtable-Signature"] for each in seen})
        cut_off = sum(attempt.outcome == "unknown" for attempt in record.attempts)
        self.excused[record.delivery_id] = min(twice, cut_off)
        super()._check_attempts(record, seen, verdict)

    def _check_statistics(self, deliveries: Sequence[DeliveryRecord], verdict: Verdict) -> None:
        """The emulator's stream has no end that one could wait for."""


class Chaos:
    """`tell` gets a line of progress now and then."""

    def __init__(self, script: Script, tell: Callable[[str], None] = lambda _line: None) -> None:
        self.script = script
        self.figures = Figures()
        self._tell = tell
        self._rng = random.Random(f"chaos {script.seed}")
        self._plan = Plan(script.seed, script.events)
        self._ended = threading.Event()
        self._killing = threading.Event()

    def run(self) -> Verdict:
        """Everything, and then the ledger's checks."""
        started = time.monotonic()
        parameters = {"RetryBaseSeconds": "0.5", "SenderMaximumConcurrency": str(self.script.senders)}
        with LocalStack(parameters=parameters) as stack, Receivers(self.script.seed) as receivers:
            self._world = StackWorld(stack, receivers)
            self._ledger = ChaosLedger(self._world)  # type: ignore[arg-type]
            with (
                FaultProxy(stack.endpoint_url, self.script.seed) as proxy,
                httpx.Client(base_url=f"{stack.base_url}/api/v1", timeout=40) as http,
            ):
                self._stack, self._proxy, self._http = stack, proxy, http
                self._world.shorten_visibility(self.script.visibility_seconds)
                webhooks = self._register(receivers)
                lead_through(stack, proxy.url)
                self._go(receivers, webhooks, started + self.script.at_most_seconds)
            self.figures.struck, self.figures.calls = proxy.struck, proxy.calls
            self.figures.seconds = time.monotonic() - started
            return self._verdict()

    def summary(self, verdict: Verdict) -> str:
        """The run in a line."""
        figures = self.figures
        lost = sum(fault.startswith("lost") for fault in verdict.faults)
        killed = ", ".join(f"{count} of {name.lower()}" for name, count in figures.kills.most_common())
        return (
            f"chaos, seed {self.script.seed}: {verdict.events:,} events, {verdict.pairs:,} deliveries "
            f"({verdict.delivered:,} delivered, {verdict.dead:,} dead letters), {verdict.requests:,} requests seen, "
            f"{verdict.duplicates:,} duplicates, {verdict.unknown:,} unknown attempts; {lost} lost, "
            f"{len(verdict.faults) - lost} other promises broken; {figures.struck.total():,} faults in "
            f"{figures.calls.total():,} calls, processes killed: {killed or 'none'}, {figures.refusals} refusals of "
            f"the API, {figures.redriven} messages redriven, {figures.recoveries} recoveries; {figures.seconds:.0f} s"
        )

    def _go(self, receivers: Receivers, webhooks: Sequence[Document], until: float) -> None:
        self._warm_up(webhooks[0])
        with self._background(self._kill, self._release, self._report):
            with self._faults():
                self._publish(webhooks)
            receivers.heal()
            self._settle(webhooks)
            self._wait_until_quiet(until)
            if self.script.recovers:
                with self._faults():
                    self._recover(webhooks)
                    self._wait_until_quiet(until, patience=60)
                self._wait_until_quiet(until)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        self._proxy.weather = self.script.weather
        self._killing.set()
        try:
            yield
        finally:
            self._killing.clear()
            self._proxy.weather = FAIR

    @contextmanager
    def _background(self, *work: Callable[[], None]) -> Iterator[None]:
        threads = [threading.Thread(target=each, daemon=True) for each in work]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join(30)

    # ---- owners and the platform

    def _call(self, method: str, path: str, user: object, workspace: object, document: Document | None) -> Document:
        """As a caller with patience does it: what is answered 5xx is repeated, the same."""
        headers = {"X-User-ID": str(user)} | ({} if workspace is None else {"X-Workspace-ID": str(workspace)})
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self._http.request(method, path, headers=headers, json=document)
            if answer.status_code < 400:
                return answer.json() if answer.content else {}
            if answer.status_code < 500 and answer.status_code != 429:
                raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
            self.figures.refusals += 1
            assert time.monotonic() < deadline, f"{method} {path}: {answer.status_code} {answer.text}"
            time.sleep(0.2)

    def _register(self, receivers: Receivers) -> list[Document]:
        found: list[Document] = []
        for number, manner in enumerate(self.script.manners):
            url = receivers.url(f"/{manner}/{number}") if manner != "unreachable" else NOBODY
            fields = self._plan.webhook_fields()
            interests = [Interest("*"), self._plan.interest()] if number == 0 else [self._plan.interest()]
            interests += [self._plan.interest()]
            wanted = {
                "name": f"w{number}",
                "url": url,
                "workspace_id": fields["workspace_id"],
                "max_retries": self._rng.choice([2, 3]),
                "timeout_seconds": TIMEOUT_SECONDS,
                "rate_limit_rps": 20 if number == 1 else None,
                "subscriptions": [interest.request() for interest in interests],
            }
            made = self._call("POST", "/webhooks", fields["user_id"], fields["workspace_id"], wanted)
            found.append({**made, "user_id": fields["user_id"]})
            whose = {"user_id": fields["user_id"], "workspace_id": fields["workspace_id"]}
            known: Any = SimpleNamespace(webhook_id=made["id"], kind="push", **whose)
            self._ledger.webhooks[made["id"]] = Known(known, [Held(0, "active", tuple(interests))])
        return found

    def _warm_up(self, webhook: Document) -> None:
        """One event all the way, so that what is killed later is at work and not at its start."""
        whose = {"user_id": webhook["user_id"], "workspace_id": webhook["workspace_id"] or 1}
        event = {**self._plan.event(self.script.events), **whose}
        self._ledger.published[event["id"]] = (event, round(time.time() * 1000))
        self._post([event])
        deadline = time.monotonic() + 2 * PATIENCE_SECONDS
        while not self._world.receivers.log:
            assert time.monotonic() < deadline, "nothing is delivered in fair weather"
            time.sleep(0.1)

    def _publish(self, webhooks: Sequence[Document]) -> None:
        """Half by the API, half on the bus, a few at a time."""
        started, numbers = time.monotonic(), iter(range(self.script.events))
        bus = self._stack.client("events")
        while few := list(itertools.islice(numbers, self._rng.randrange(1, 11))):
            events = [self._plan.event(number) for number in few]
            for event in events:
                self._ledger.published[event["id"]] = (event, round(time.time() * 1000))
            if self._rng.random() < 0.5:
                self._post(events)
            else:
                self._put(bus, events)
            self.figures.published += len(events)
            if self.script.meddles and self._rng.random() < 0.02:
                self._set_status(self._rng.choice(webhooks), self._rng.choice(["paused", "active", "active"]))
            due = started + self.figures.published / self.script.events_a_second
            time.sleep(max(0.0, due - time.monotonic()))

    def _post(self, events: Sequence[Document]) -> None:
        whose = {(event["user_id"], event["workspace_id"]) for event in events}
        for user, workspace in sorted(whose, key=str):
            mine = [each for each in events if (each["user_id"], each["workspace_id"]) == (user, workspace)]
            self._call("POST", "/events", user, workspace, {"events": mine})

    def _put(self, bus: Any, events: Sequence[Document]) -> None:
        outputs = self._stack.outputs
        fixed = {"EventBusName": outputs["EventBusName"], "Source": outputs["EventSource"]}
        entries = [{**fixed, "DetailType": event["type"], "Detail": json.dumps(event)} for event in events]
        assert bus.put_events(Entries=entries)["FailedEntryCount"] == 0

    def _set_status(self, webhook: Document, status: str) -> None:
        """Paused or active: either way events are queued, so that the ledger need not know the moment."""
        self._call("PUT", f"/webhooks/{webhook['id']}", webhook["user_id"], None, {"status": status})

    def _settle(self, webhooks: Sequence[Document]) -> None:
        """Owners resume what they have paused, and delete what never answered: its open circuit would keep its
        deliveries for days."""
        for webhook in webhooks if self.script.meddles else ():
            if is_reachable(webhook):
                self._set_status(webhook, "active")
            else:
                self._call("DELETE", f"/webhooks/{webhook['id']}", webhook["user_id"], None, None)
                known = self._ledger.webhooks[webhook["id"]]
                known.history.append(Held(round(time.time() * 1000), "deleted", ()))

    def _recover(self, webhooks: Sequence[Document]) -> None:
        dead = {letter.webhook_id for letter in self._world.dead_letters()}
        for webhook in webhooks:
            if webhook["id"] in dead and is_reachable(webhook):
                asked = {"from": "2024-01-01T00:00:00Z", "rate_per_second": 50}
                self._call("POST", f"/webhooks/{webhook['id']}/recover", webhook["user_id"], None, asked)
                self.figures.recoveries += 1

    # ---- what goes on meanwhile

    def _kill(self) -> None:
        """Processes of functions end in the middle of what they do, most of them senders, and not while they start:
        the emulator ends the others of that function too."""
        seen = 0
        while not self._ended.wait(self._rng.expovariate(1 / self.script.seconds_between_kills)):
            log = self._world.receivers.log
            if not self._killing.is_set() or len(log) < seen + REQUESTS_BETWEEN_KILLS:
                continue
            seen = len(log)
            name = self._rng.choices(("Sender", "Ingest", "Replay", "Release"), (7, 1, 1, 1))[0]
            workers = self._stack.workers(f"{name}Function")
            if workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._rng.choice(workers), signal.SIGKILL)
                    self.figures.kills[name] += 1

    def _release(self) -> None:
        """More often than each minute."""
        functions = self._stack.client("lambda")
        while not self._ended.wait(3):
            functions.invoke(FunctionName=self._stack.outputs["ReleaseFunctionName"], Qualifier="live", Payload=b"{}")
            self.figures.redriven += self._world.redrive()

    def _report(self) -> None:
        while not self._ended.wait(10):
            seen, kills = len(self._world.receivers.log), self.figures.kills.total()
            faults = sum(count for (kind, _), count in self._proxy.struck.items() if kind != "slow")
            self._tell(
                f"{self.figures.published:,} of {self.script.events:,} events published, {seen:,} requests seen, "
                f"{faults:,} faults, {kills} processes killed; pending: {self._world.pending() or 'nothing'}"
            )

    def _wait_until_quiet(self, until: float, *, patience: float = float("inf")) -> None:
        """Until nothing is pending, seen twice. What is still pending when time is up, the ledger calls lost."""
        until = min(until, time.monotonic() + patience)
        calm = 0
        while calm < 2 and time.monotonic() < until:
            time.sleep(1)
            calm = calm + 1 if not self._world.pending() else 0

    def _verdict(self) -> Verdict:
        now_ms = round(time.time() * 1000)
        self._ledger.recorded_ms = dict.fromkeys(self._ledger.published, now_ms)
        verdict = self._ledger.check(max_unknown=10**9)  # each stands for a receive cut off, which nobody else counts
        verdict.faults += [f"lost: {count} are left in {name}" for name, count in self._world.pending().items()]
        if unfinished := self._world.unfinished_replays():
            verdict.faults.append(f"lost: {unfinished} replay jobs did not come to their end")
        return verdict


def is_reachable(webhook: Document) -> bool:
    """Whether somebody listens at its address."""
    return webhook["url"] != NOBODY
