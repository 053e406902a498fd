"""The program that events are sent on to."""

import contextlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import click
import httpx

# What stands before a program that is not there says so by these.
_DOWN = (429, 502, 503, 504)
LONGEST_WAIT_SECONDS = 15.0
_BODY_SECONDS, _BODY_BYTES = 2.0, 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one request: a status, or why there is none. `is_down`: send it again."""

    status: int | None
    duration_ms: float
    error: str = ""
    retry_after_seconds: float = 0.0

    @property
    def is_down(self) -> bool:
        """Nobody has taken it."""
        return self.status is None or self.status in _DOWN

    @property
    def is_good(self) -> bool:
        """2xx."""
        return self.status is not None and 200 <= self.status < 300


class LocalReceiver:
    """A URL on this machine. Proxies of the environment are left alone: they are for the way out."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self.url = url
        self._timeout_seconds = timeout_seconds
        self._http = httpx.Client(trust_env=False, timeout=httpx.Timeout(timeout_seconds, connect=5))

    @classmethod
    def at(cls, given: str, timeout_seconds: float) -> Self:
        """For `3000`, `localhost:3000/hook` or a whole URL. Raises BadParameter."""
        text = f"localhost:{given}" if re.match("[0-9]+(/|$)", given) else given
        url = text if "://" in text else f"http://{text}"
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise click.BadParameter(f"{given} is not a URL: {error}") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise click.BadParameter(f"{given} is not a URL such as http://localhost:3000/hook")
        return cls(url, timeout_seconds)

    def send(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """One event, with the headers of a delivery."""
        started = time.monotonic()
        try:
            # The status counts as soon as the head is there, as for a delivery that is pushed.
            with self._http.stream("POST", self.url, headers=dict(headers), content=body) as response:
                took = (time.monotonic() - started) * 1000
                asked = response.headers.get("retry-after", "")
                _read_some(response)
                return Reply(response.status_code, took, "", float(asked) if asked.isdecimal() else 0.0)
        except httpx.TimeoutException as error:
            why = "nothing listens there" if isinstance(error, httpx.ConnectTimeout) else (
                f"no answer within {self._timeout_seconds:g} s (--timeout)"
            )  # fmt: skip
        except httpx.ConnectError:
            why = "nothing listens there"
        except httpx.HTTPError:
            why = "it hung up without an answer"
        return Reply(None, (time.monotonic() - started) * 1000, why)

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()


def _read_some(response: httpx.Response) -> None:
    """So that the connection can be used again. Whatever is wrong with the body, the status counts."""
    ends, size = time.monotonic() + _BODY_SECONDS, 0
    with contextlib.suppress(httpx.HTTPError):
        for part in response.iter_raw():
            size += len(part)
            if size > _BODY_BYTES or time.monotonic() > ends:
                return


def wait_seconds(tries: int, asked: float = 0.0) -> float:
    """Before the next try, after so many that failed: 0.5 s doubled, and no longer than a person would wait."""
    return min(max(0.5 * 2 ** min(tries - 1, 10), asked), LONGEST_WAIT_SECONDS)
