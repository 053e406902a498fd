"""`make listen`: many events through `pyhooks listen`, with the network cut and the receiver down again and again."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from localstack.stack import LocalStack
from tests.cli.command import Pyhooks
from tests.cli.wire import Wire
from tests.support.receiver import Receiver, answer
from tests.support.service import Service, event, eventually

CUT_SECONDS = DOWN_SECONDS = 0.5
# What happens after each eighth of the events has arrived.
SCRIPT = ("cut", "down", "cut", "cut", "down", "cut", "cut")


def run(service: Service, pyhooks: Pyhooks, events: int) -> str:
    """What was seen, in a line. Raises AssertionError where an event did not arrive, or arrived unsigned."""
    user = service.bearer(scope="webhooks events:write")
    token = user.headers["Authorization"].removeprefix("Bearer ")
    published = [event(user_id=user.user_id) for _ in range(events)]
    started = time.monotonic()
    slowly = answer(200, delay_seconds=0.005)  # or all have arrived before anything can happen
    receivers: list[Receiver] = []

    def arrived() -> list[str]:
        return [str(each.header("webhook-id")) for receiver in receivers for each in receiver.requests("/")]

    def some(count: int) -> None:
        eventually(lambda: len(set(arrived())), lambda found: found >= count, every=0.005, timeout=120)

    def up(port: int = 0) -> ExitStack:
        stack = ExitStack()
        receivers.append(stack.enter_context(Receiver(port=port)))
        receivers[-1].script("/", slowly)
        return stack

    with Wire(service.http.base_url.port or 80) as wire, up() as receiver:
        pyhooks.login(wire.url, token)
        port = receivers[0].port
        listening = pyhooks.start("listen", "--forward-to", str(port), "--event-type", "record.*", "--name", "walk")
        assert "Ready" in listening.says("Ready")
        for start in range(0, events, 100):
            assert user.post("/events", {"events": published[start : start + 100]}).status_code == 202

        for number, what in enumerate(SCRIPT, start=1):
            some(events * number // 8)
            if what == "cut":
                wire.cut(CUT_SECONDS)
                time.sleep(CUT_SECONDS)
            else:
                receiver.close()
                time.sleep(DOWN_SECONDS)
                receiver.push(up(port))
        some(events)
        assert listening.end() == 0, listening.errors
        counts = Counter(arrived())
        missing = {each["id"] for each in published} - set(counts)
        assert not missing, f"{len(missing)} of {events} events did not arrive"
        assert set(counts) == {each["id"] for each in published}
        broken = wire.broken
    twice = sum(counts.values()) - len(counts)
    return (
        f"{len(counts):,} of {events:,} events arrived through {SCRIPT.count('cut')} cuts of the network ({broken} "
        f"connections broken) and {SCRIPT.count('down')} times without a receiver, {twice} of them twice, in "
        f"{time.monotonic() - started:.0f} s"
    )


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="make listen", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000)
    given = parser.parse_args()
    with (
        LocalStack(parameters={"RetryBaseSeconds": "1"}) as stack,
        Service.of(stack) as service,
        tempfile.TemporaryDirectory() as folder,
        Pyhooks(Path(folder)) as pyhooks,
    ):
        sys.stdout.write(run(service, pyhooks, given.events) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
