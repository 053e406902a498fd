"""Ids from a seed, so that a run can be repeated."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from webhooks import ids


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
