"""Reading the head of an answer that the strict parser refuses, and what is remarked on answers with faults.

A receiver that has sent its status line and headers has answered. What is wrong with the rest is said, never counted.
"""

import re
from dataclasses import dataclass

MAX_BODY_SECONDS = 2.0  # counted from the head, for a body that did not come with it

CUT_OFF = "The connection was closed before the body of the answer was over."
SLOW = f"The body of the answer was not over {MAX_BODY_SECONDS:g} seconds after its headers; the rest was not read."
LONG = "The answer has more than 64 KiB; the rest was not read."
MALFORMED = (
    "The headers of the answer, or what follows them, are not valid HTTP: for example a Content-Length that counts "
    "characters instead of bytes, or is given twice."
)
BODY_AFTER_204 = "The answer has no body by its status, but its headers announce one."

_END = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] +([1-9][0-9][0-9])(?: [^\r\n]*)?")


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """A status, its headers as far as they are any, and the bytes that came after them."""

    status_code: int
    headers: tuple[tuple[bytes, bytes], ...]
    rest: bytes


def read_leniently(received: bytes) -> AnswerHead | None:
    """The answer's head; None where it is not HTTP or not over."""
    end = _END.search(received)
    if end is None:
        return None
    status_line, *lines = _LINE_END.split(received[: end.start()])
    matched = _STATUS_LINE.fullmatch(status_line)
    if matched is None:
        return None
    parts = [line.partition(b":") for line in lines if b":" in line]
    headers = tuple((name.strip(), value.strip()) for name, _, value in parts)
    return AnswerHead(int(matched[1]), headers, received[end.end() :])
