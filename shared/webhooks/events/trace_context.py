"""The trace that an event belongs to, in the words of W3C Trace Context, Level 1.

It goes on to receivers as it came: no span of ours stands between, so that a receiver's span is a child of the
publisher's. `tracestate` stays here: vendors put what is theirs into it ("Privacy Considerations").
"""

import re
from typing import cast

TRACEPARENT = "traceparent"

# "traceparent Header". What a later version adds behind these four fields is left out ("Versioning of traceparent").
_FORMAT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def trace_of(value: object) -> str:
    """A traceparent as it goes on, of version 00; empty for anything that is none, which is no error."""
    found = _FORMAT.fullmatch(value) if isinstance(value, str) else None
    if found is None or (found[1] == "00" and found[5] is not None):
        return ""
    return f"00-{found[2]}-{found[3]}-{found[4]}"


def traces_of(values: object, amount: int) -> list[str]:
    """Those of a message's events, in their order; none where they make no sense."""
    given = cast("list[object]", values) if isinstance(values, list) else []
    return [trace_of(each) for each in given] if len(given) == amount else [""] * amount
