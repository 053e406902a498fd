"""What a pull webhook's consumers read: an entry for each event that matched, in the order of their recording.

The order is that of a stamp, which is the writer's clock just before the write. An entry counts as recorded only where
the write was answered within WRITE_MS of its stamp; if not, it is written again under a new one. Readers look at no
entry that is younger than LAG_MS by their own clock. As long as two clocks differ by SKEW_MS at most, whatever is older
was there before they looked. So nothing appears behind a position that somebody has read past.
"""

from dataclasses import dataclass

WRITE_MS = 1_000
SKEW_MS = 4_000
LAG_MS = WRITE_MS + SKEW_MS
# A push webhook has an entry for each delivery with a record, in the order of acceptance. The first attempt makes the
# record, and comes within seconds while all is well; the alarms on the queues' age come long before this.
PUSH_LAG_MS = 15 * 60_000


@dataclass(frozen=True, slots=True)
class PullEntry:
    """An event for one webhook. `position` is its place in the order; empty before it is recorded."""

    webhook_id: str
    delivery_id: str
    event_id: str
    event_type: str
    scope: str
    accepted_at_ms: int
    days: int | None = None  # for so many it is kept, where its publisher limits that
    position: str = ""


@dataclass(frozen=True, slots=True)
class Consumer:
    """Where a named reader of a webhook goes on."""

    name: str
    position: str
    committed_at_ms: int
