"""A quiet tenant beside each bad neighbour, each pair on a local stack of its own: no neighbour outlives its row."""

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from localstack.stack import LocalStack
from tests.noisy.neighbours import Neighbour, Street
from tests.noisy.quiet import Quiet
from tests.support.beside import Beside
from tests.support.receiver import answer
from tests.support.service import Service

BEFOREHAND_SECONDS = 2.0  # a neighbour is at it before the first event is published
FAREWELL_SECONDS = 60.0
# A seventh of the template's senders and of its places for slow attempts. The local stack's usual four are fewer than
# the five batches that a mapping on AWS begins with, before anybody can know that a receiver is slow.
PARAMETERS = {"RetryBaseSeconds": "1", "SenderMaximumConcurrency": "15", "SlowAttemptsPerTenant": "4"}


@dataclass(frozen=True, slots=True)
class Script:
    """How long the quiet tenant lives beside each, how much each neighbour does, and how long an event may take."""

    seconds: float = 60.0
    scale: float = 1.0
    patience_seconds: float = 120.0


SHORT = Script(seconds=4.0, scale=0.2, patience_seconds=240.0)


def beside(neighbour: Neighbour | None, script: Script, say: Callable[[str], None] = lambda _line: None) -> Beside:
    """What the quiet tenant notices of a neighbour, or of nobody."""
    with LocalStack(parameters=PARAMETERS) as stack, Service.of(stack) as service:
        _wake(Street(service, script.scale), script.patience_seconds)
        quiet = Quiet(service, script.patience_seconds)
        if neighbour is None:
            return quiet.live("nobody", script.seconds)
        street = Street(service, script.scale)
        if neighbour.at_first is not None:
            neighbour.at_first(street)
        failures: list[str] = []

        def act() -> None:
            try:
                neighbour.act(street)
            except Exception:
                failures.append(traceback.format_exc())

        thread = threading.Thread(target=act, name=neighbour.name)
        thread.start()
        thread.join(BEFOREHAND_SECONDS)
        try:
            return quiet.live(neighbour.name, script.seconds)
        finally:
            street.over.set()
            thread.join(FAREWELL_SECONDS)
            for each in failures:
                say(f"the neighbour itself failed:\n{each}")


def _wake(street: Street, patience_seconds: float) -> None:
    """As many processes of the functions as a crowd starts.

    On AWS each has a machine of its own. Here their starts, half a second of a core each, would be all that counts.
    """
    street.at_once(street.so_many(80), lambda _: street.asked("GET", "/webhooks"), together=40)
    path = street.service.path(answer(delay_seconds=0.4))  # for more batches at once, and far from slow
    webhooks = street.webhooks(20, street.service.receiver.url(path))
    street.at_once(2, lambda _: street.publish(street.so_many(50)))
    street.service.receiver.wait_for(path, 2 * len(webhooks) * street.so_many(50), patience_seconds)
    for each in webhooks:
        street.asked("DELETE", f"/webhooks/{each}")
