"""Reading events and sending them on, until somebody ends it. Whatever fails meanwhile is tried again.

What the receiver has answered stands behind `position`, and is committed about once a second. A process that dies has
the events of that second once more; none is passed over.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, cast

from pyhooks.api import Answer, Api, Json, at
from pyhooks.errors import DoesNotFit, Failed, NoConnection
from pyhooks.listening.claim import Claim
from pyhooks.listening.receiver import LocalReceiver, Reply, wait_seconds
from pyhooks.verifying import Request, verify

WAIT_SECONDS = 20  # the most that the service takes
FRESH_SECONDS = 120  # of signatures, which receivers refuse when they are older than 300 s
COMMIT_SECONDS = 1.0
_LAST_COMMIT_SECONDS = 5.0


class Screen(Protocol):
    """What a person sees of it."""

    def event(self, item: Json, reply: Reply | None) -> None:
        """An event is done with; None: it came without its payload, and could not be sent."""
        ...

    def trouble(self, what: str, why: str) -> None:
        """What is tried again from now on; said for each try."""
        ...

    def back(self, what: str) -> None:
        """It works again."""
        ...


@dataclass(slots=True)
class Tally:
    """How many events were answered with 2xx, with something else, and came without a payload."""

    good: int = 0
    bad: int = 0
    empty: int = 0


@dataclass(slots=True, kw_only=True)
class Listener:
    """One consumer of a pull webhook. `secret` None: signatures are passed on without being checked."""

    api: Api
    webhook_id: str
    consumer: str
    secret: str | None
    receiver: LocalReceiver
    claim: Claim
    screen: Screen
    retry_errors: bool = False
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    tally: Tally = field(default_factory=Tally)
    position: str | None = None
    _committed: str | None = None
    _committed_at: float = 0.0  # by `monotonic`

    def run(self) -> None:
        """Until KeyboardInterrupt. Raises NotLoggedIn, NotFound, Refused and DoesNotFit; nothing is lost then."""
        try:
            while True:
                self._pages()
        finally:
            with contextlib.suppress(Failed, NoConnection):
                self._commit(timeout_seconds=_LAST_COMMIT_SECONDS)

    def skip(self, until: float) -> None:
        """Leave out what was recorded before that time, in seconds since the epoch. Raises as `Api.call`."""
        start = datetime.fromtimestamp(until, UTC).isoformat()
        self.position = str(self.api.get(self._path("events"), limit=1, **{"from": start})["next_cursor"])
        self._commit()

    def _pages(self) -> None:
        start = {"consumer": self.consumer} if self.position is None else {"after": self.position}
        answer = self._patiently(
            lambda: self.api.call(
                "GET", self._path("events"), params={**start, "limit": 100, "wait": WAIT_SECONDS},
                timeout_seconds=WAIT_SECONDS + 15,
            )
        )  # fmt: skip
        ends = self.monotonic() + FRESH_SECONDS
        items = cast("list[Json]", answer.json["items"])
        for item in items:
            if not self._done(item, ends):
                return  # its signature is too old by now: read it again
            self.position = str(item["cursor"])
            if self.monotonic() - self._committed_at > COMMIT_SECONDS:
                self._try_to_commit()
        self.position = str(answer.json["next_cursor"])
        self._try_to_commit()
        if not items and answer.retry_after_seconds:  # no place to wait was free
            self.sleep(answer.retry_after_seconds)

    def _done(self, item: Json, ends: float) -> bool:
        """Whether the receiver has answered; False where that took too long for its signature."""
        if item["body"] is None:
            self.tally.empty += 1
            self.screen.event(item, None)
            return True
        headers, body = cast("dict[str, str]", item["headers"]), str(item["body"]).encode()
        self._verify(item, headers, body)
        tries = 0
        while self.monotonic() < ends:
            reply = self.receiver.send(headers, body)
            if not (reply.is_down or (self.retry_errors and not reply.is_good)):
                self.screen.back(self.receiver.url)
                self.screen.event(item, reply)
                self.tally.good += reply.is_good
                self.tally.bad += not reply.is_good
                return True
            tries += 1
            self.screen.trouble(self.receiver.url, reply.error or f"it answers {reply.status}")
            self._try_to_commit()
            self.sleep(wait_seconds(tries, reply.retry_after_seconds))
        return False

    def _verify(self, item: Json, headers: dict[str, str], body: bytes) -> None:
        if self.secret is None:
            return
        try:
            verify(Request({name.lower(): value for name, value in headers.items()}, body), self.secret, now=None)
        except DoesNotFit as error:
            raise DoesNotFit(
                f"The signature of {item['event_id']} does not fit the secret that is kept here; it was not sent on. "
                "If somebody gave the webhook a new secret, so can you: --new-secret"
            ) from error

    def _patiently(self, call: Callable[[], Answer]) -> Answer:
        tries = 0
        while True:
            try:
                answer = call()
            except (NoConnection, Failed) as error:
                tries += 1
                self.screen.trouble(self.api.url, error.message)
                self.sleep(wait_seconds(tries))
            else:
                self.screen.back(self.api.url)
                return answer

    def _try_to_commit(self) -> None:
        """The next one takes along what this one could not."""
        with contextlib.suppress(NoConnection, Failed):
            self._commit()

    def _commit(self, timeout_seconds: float | None = None) -> None:
        if self.position is None or self.position == self._committed:
            return
        position, self._committed_at = self.position, self.monotonic()
        path = self._path("consumers", self.consumer, "commit")
        answer = self.api.call("POST", path, document={"cursor": position}, timeout_seconds=timeout_seconds)
        self._committed = position
        self.claim.note(str(answer.json["committed_at"]))

    def _path(self, *parts: str) -> str:
        return at("webhooks", self.webhook_id, *parts)
