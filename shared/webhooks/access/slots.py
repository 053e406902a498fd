"""How much of one kind an owner may have under way at once: each takes one of so many slots, kept in one item.

A slot is taken by a conditional write of that slot alone, so owners, and takers of different slots, never wait for each
other. What holds a slot may die without giving it back. So nothing has to: once all slots are taken, those whose holder
has ended are taken over.
"""

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from webhooks.errors import Unavailable

Kind = Literal["tests", "polls", "replays"]
EVERYBODY = None  # as an owner: the slots that all owners share
ROUNDS = 10


class SlotStore(Protocol):
    """Who holds which slot. Everything may raise Unavailable."""

    def holders(self, kind: Kind, owner: str | None) -> Mapping[int, str]:
        """The holder of each slot that is taken. Consistent."""
        ...

    def take(self, kind: Kind, owner: str | None, slot: int, before: str | None, holder: str) -> bool:
        """Take a slot from the holder `before`, or a free one; False when somebody else has it by now."""
        ...

    def free(self, kind: Kind, owner: str | None, slot: int, holder: str) -> None:
        """Give a slot back, if that holder still has it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """`most` slots of one kind for each owner. `ended`: which of these holders do not need theirs any more."""

    store: SlotStore
    kind: Kind
    most: int
    ended: Callable[[Collection[str]], Collection[str]]

    def take(self, owner: str | None, holder: str) -> int | None:
        """The slot that `holder` has now, or None when all are taken. Raises Unavailable.

        When an answer is lost and the SDK repeats the write, the next look finds that the slot is ours.
        """
        for _ in range(ROUNDS):
            holders = self.store.holders(self.kind, owner)
            for slot, other in holders.items():
                if other == holder:
                    return slot
            free = [slot for slot in range(self.most) if slot not in holders]
            if not free:
                over = set(self.ended(holders.values()))
                free = [slot for slot in range(self.most) if holders[slot] in over]
            if not free:
                return None
            slot = random.choice(free)  # noqa: S311 - spreads takers, guards nothing
            if self.store.take(self.kind, owner, slot, holders.get(slot), holder):
                return slot
        raise Unavailable(f"{ROUNDS} times another one was faster to take a slot for {self.kind}")

    def free(self, owner: str | None, slot: int, holder: str) -> None:
        """Give a slot back. Raises Unavailable: it is taken over once its holder counts as ended."""
        self.store.free(self.kind, owner, slot, holder)

    def used(self, owner: str | None) -> int:
        """How many are taken by what has not ended. Raises Unavailable."""
        holders = self.store.holders(self.kind, owner)
        over = set(self.ended(holders.values())) if holders else set[str]()
        return sum(slot < self.most and holder not in over for slot, holder in holders.items())
