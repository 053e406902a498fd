"""What a run has in place of chance and of size: ids from its seed, and pages that a few webhooks fill."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from webhooks import ids
from webhooks.events import fan_out, ingestion


@contextmanager
def seeded_ids(rng: random.Random) -> Iterator[None]:
    """Instead of unguessable ones."""
    real = ids.secrets

    class Seeded:
        randbits = staticmethod(rng.getrandbits)

    ids.secrets = Seeded  # type: ignore[assignment]
    try:
        yield
    finally:
        ids.secrets = real


@contextmanager
def pages_of(sizes: tuple[int, int]) -> Iterator[None]:
    """So many webhooks in a page of an event's fan-out and in a short one, instead of hundreds."""
    real = ingestion.PAGE, ingestion.SHORT_PAGE
    ingestion.PAGE, ingestion.SHORT_PAGE = sizes
    fan_out.PAGE = ingestion.PAGE
    try:
        yield
    finally:
        ingestion.PAGE, ingestion.SHORT_PAGE = real
        fan_out.PAGE = ingestion.PAGE
