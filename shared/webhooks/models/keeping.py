"""How an event's payload is kept, where its publisher has said so."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NOT_WHOLE = "!"
_DAYS = re.compile(r"[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class Keeping:
    """`days`: for how long, 0: not at all once it is delivered, None: as long as any. `redact`: paths of fields whose
    values are not kept."""

    days: int | None = None
    redact: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the payload is kept as it was sent."""
        return self.days != 0 and not self.redact

    @property
    def mark(self) -> str:
        """What messages and records of deliveries need to know of it."""
        return f"{self.days or ''}{'' if self.is_whole else _NOT_WHOLE}"

    def document(self) -> dict[str, object]:
        """As an event has it beside its payload."""
        days = {} if self.days is None else {"retention_days": self.days}
        return {**days, **({"redact": list(self.redact)} if self.redact else {})}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Keeping | None":
        """From a document that was checked; None where nothing is said."""
        days, redact = document.get("retention_days"), document.get("redact")
        return None if days is None and not redact else cls(days, tuple(redact or ()))


def mark_of(keeping: Keeping | None) -> str:
    """Empty where nothing is said."""
    return "" if keeping is None else keeping.mark


def is_whole(mark: str) -> bool:
    """Whether a payload with this mark may be kept as it was sent, once it is delivered."""
    return _NOT_WHOLE not in mark


def days_of(mark: str) -> int | None:
    """For how many days a dead letter with this mark may be kept, where that is limited."""
    found = _DAYS.match(mark)
    return int(found[0]) if found else None
