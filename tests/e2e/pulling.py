"""`make pull REAL=1`: events published over HTTP, and consumers that are processes, killed and started again."""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from localstack.stack import LocalStack
from tests.support.service import Service, User, event

Place = tuple[str, str]  # recorded_at, event id
A_REQUEST = 100
PATIENCE_SECONDS = 120.0  # without anything new that was read


@dataclass(frozen=True, slots=True)
class Script:
    """How much of it: `consumers` read each of two webhooks, and each second one of all is killed, `kills` times."""

    events: int = 10_000
    consumers: int = 5
    seed: int = 1
    kills: int = 200


SHORT = Script(events=400, consumers=2, kills=10)


class Consumer:
    """A named reader: one process after the other, with one log."""

    def __init__(self, service: Service, user: User, webhook_id: str, name: str, log: Path) -> None:
        who = (service.stack.base_url, str(user.user_id), webhook_id, name, str(log))
        self._command = [sys.executable, "-m", "tests.e2e.pull_consumer", *who]
        self._log = log
        self.name = name
        self.deaths = 0
        self.errors: list[str] = []
        self.start()

    def start(self) -> None:
        """Another process of it."""
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)

    def kill(self) -> None:
        """As a machine dies."""
        ended_by_itself = self._process.poll() is not None
        self._process.kill()
        _, errors = self._process.communicate()
        if ended_by_itself:
            self.errors.append(f"{self.name} ended by itself: {errors}")
        self.deaths += 1

    def lives(self) -> list[list[Place]]:
        """What each of its processes was handed, in order."""
        lives: list[list[Place]] = []
        for line in self._log.read_text("ascii").splitlines() if self._log.exists() else ():
            match line.split():
                case ["-"]:
                    lives.append([])
                case [recorded_at, event_id, "."]:  # else it was killed while it wrote
                    lives[-1].append((recorded_at, event_id))
        return lives


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen, and what should not have been."""

    summary: str
    faults: list[str]


def run(service: Service, script: Script, say: Callable[[str], None] = lambda _line: None) -> Outcome:
    """All of it, on a stack that runs. Two webhooks of one owner: one for all, one for a part of the events."""
    rng, user = random.Random(script.seed), service.user()
    wanted = {_reader(user, "*"): set[str](), _reader(user, "record.created"): set[str]()}
    batches: list[list[dict[str, object]]] = []
    everything, chosen = wanted.values()
    for start in range(0, script.events, A_REQUEST):
        kinds = [rng.choice(("record.created", "table.updated")) for _ in range(min(A_REQUEST, script.events - start))]
        batches.append([event(kind, user_id=user.user_id) for kind in kinds])
        everything |= {str(each["id"]) for each in batches[-1]}
        chosen |= {str(each["id"]) for each in batches[-1] if each["type"] == "record.created"}

    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(4) as publishers:
        consumers = {
            each: [Consumer(service, user, each, f"c{n}", Path(folder, f"{each} {n}")) for n in range(script.consumers)]
            for each in wanted
        }
        every = [each for some in consumers.values() for each in some]
        try:
            published = [publishers.submit(_publish, user, batch) for batch in batches]
            missing, last = [script.events], time.monotonic()
            while any(missing) and time.monotonic() - last < PATIENCE_SECONDS:
                time.sleep(1)
                # on a busy machine, one that has just started would never come to read anything
                reading = [each for each in every if any(each.lives()[-1:])]
                if reading and sum(each.deaths for each in every) < script.kills:
                    victim = rng.choice(reading)
                    victim.kill()
                    victim.start()
                seen = {each: [_ids(one) for one in some] for each, some in consumers.items()}
                before, missing = missing, [len(wanted[each] - ids) for each, some in seen.items() for ids in some]
                last = last if missing == before else time.monotonic()
                accepted = sum(each.done() for each in published) * A_REQUEST
                say(f"{accepted:,} events accepted, {sum(missing):,} reads missing, {time.monotonic() - began:.0f} s")
        finally:
            deaths = sum(each.deaths for each in every)
            for each in every:
                each.kill()
        seconds = time.monotonic() - began
        for each in published:
            each.result()
        faults = [fault for each, some in consumers.items() for fault in _faults(wanted[each], some)]
        reads = sum(len(life) for each in every for life in each.lives())
    summary = (
        f"{script.events:,} events over HTTP, {len(every)} consumers with {deaths} deaths, {reads:,} reads in "
        f"{seconds:.0f} s, {len(faults)} promises broken"
    )
    return Outcome(summary, faults)


def _reader(user: User, event_type: str) -> str:
    document = {"name": "read", "kind": "pull", "subscriptions": [{"event_type": event_type}]}
    answer = user.post("/webhooks", document)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def _publish(user: User, batch: Sequence[dict[str, object]]) -> None:
    while (answer := user.post("/events", {"events": batch})).status_code != 202:
        assert answer.status_code in (429, 503), answer.text
        time.sleep(float(answer.headers.get("Retry-After", 1)))


def _ids(consumer: Consumer) -> set[str]:
    return {event_id for life in consumer.lives() for _, event_id in life}


def _faults(wanted: set[str], consumers: Sequence[Consumer]) -> Iterator[str]:
    """A reader begins each life at its last commit. So what it reads for the first time comes in the one order."""
    firsts = [list(dict.fromkeys(place for life in each.lives() for place in life)) for each in consumers]
    common = set(firsts[0]).intersection(*firsts)
    order = [place for place in firsts[0] if place in common]
    for consumer, first in zip(consumers, firsts, strict=True):
        yield from consumer.errors
        ids = {event_id for _, event_id in first}
        yield from (f"lost: {consumer.name} never read {event_id}" for event_id in sorted(wanted - ids))
        yield from (f"{consumer.name} read {event_id}, which it did not ask for" for event_id in sorted(ids - wanted))
        if [place for place in first if place in common] != order:
            yield f"{consumer.name} read in another order than {consumers[0].name}"
        for life in consumer.lives():
            if len(set(life)) < len(life) or [at for at, _ in life] != sorted(at for at, _ in life):
                yield f"{consumer.name} read out of order"


def main() -> int:
    """Prints progress, figures and what is broken; 1 if anything is."""
    parser = argparse.ArgumentParser(prog="make pull REAL=1", description=__doc__)
    parser.add_argument("--events", type=int, default=Script().events)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with LocalStack() as stack, Service.of(stack) as service:
        outcome = run(service, Script(given.events, seed=given.seed), lambda line: print(line, flush=True))  # noqa: T201
    print(outcome.summary, *outcome.faults[:20], sep="\n")  # noqa: T201
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
