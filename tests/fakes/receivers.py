"""Receivers in virtual time, behind the sender's transport port. Their log is what really happened."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tests.fakes.clock import Clock
from webhooks.models.exchange import Exchange, HttpRequest

PREFIX = "X-PyAirtable"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a receiver answers: a status after a while, or an `error_code` of the transport's."""

    status: int = 200
    latency_ms: int = 20
    headers: Mapping[str, str] | None = None
    body: bytes = b"ok"
    error_code: str | None = None
    remark: str | None = None  # what the transport said of the body

    @property
    def arrives(self) -> bool:
        """Whether the receiver saw the request at all."""
        return self.error_code not in ("dns", "refused_address", "connect_refused", "connect_timeout", "tls")


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the receiver saw it, and how it answered."""

    at_ms: int
    url: str
    headers: Mapping[str, str]
    body: bytes
    answer: Answer
    is_static: bool = False  # whether it came from a static address

    @property
    def event_id(self) -> str:
        """From the headers."""
        return self.headers[f"{PREFIX}-Event-ID"]

    @property
    def webhook_id(self) -> str:
        """From the headers."""
        return self.headers[f"{PREFIX}-Webhook-ID"]

    @property
    def event_type(self) -> str:
        """From the headers."""
        return self.headers[f"{PREFIX}-Event-Type"]

    @property
    def delivery_id(self) -> str:
        """From the headers."""
        return self.headers[f"{PREFIX}-Delivery-ID"]

    @property
    def attempt(self) -> int:
        """From the headers."""
        return int(self.headers[f"{PREFIX}-Attempt"])

    @property
    def succeeded(self) -> bool:
        """Whether the receiver took it."""
        return self.answer.error_code is None and 200 <= self.answer.status < 300


Behaviour = Callable[[int, int], Answer]  # (now_ms, requests seen before) -> answer


class FromStaticAddresses:
    """The way to receivers that the sender with static addresses has."""

    def __init__(self, receivers: "FakeReceivers") -> None:
        self._receivers = receivers

    async def send(self, request: HttpRequest, pool: str = "") -> Exchange:
        """The transport port."""
        return (await self._receivers.answer(request, is_static=True))[0]


class FakeReceivers:
    """All receivers of a test, by URL; one that is not scripted answers 200."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._behaviours: dict[str, Behaviour] = {}
        self._counts: dict[str, int] = defaultdict(int)
        self.echo = False  # whether receivers send back what they got
        self.log: list[Seen] = []
        self.asked: Counter[str] = Counter()  # requests by delivery, those included that never arrived

    def behave(self, url: str, behaviour: Behaviour) -> None:
        """Have a receiver answer by a function."""
        self._behaviours[url] = behaviour

    def script(self, url: str, answers: Iterable[Answer | int]) -> None:
        """Have a receiver give these answers in turn, and the last one from then on."""
        turns = [each if isinstance(each, Answer) else Answer(each) for each in answers]
        start = self._counts[url]
        self._behaviours[url] = lambda _now_ms, count: turns[min(count - start, len(turns) - 1)]

    def seen(self, url: str) -> list[Seen]:
        """What one receiver saw."""
        return [each for each in self.log if each.url == url]

    async def send(self, request: HttpRequest, pool: str = "") -> Exchange:
        """The transport port."""
        return (await self.answer(request))[0]

    async def answer(
        self, request: HttpRequest, forced: Answer | None = None, *, is_static: bool = False
    ) -> tuple[Exchange, Answer]:
        """The same, and how the receiver answered; by its behaviour unless an answer is forced upon it."""
        started_ms = self._clock.ms
        count = self._counts[request.url]
        self._counts[request.url] += 1
        self.asked[request.headers[f"{PREFIX}-Delivery-ID"]] += 1
        behaviour = self._behaviours.get(request.url)
        answer = forced or (behaviour(started_ms, count) if behaviour else Answer())
        deadline_ms = round(request.timeout_seconds * 1000)
        if answer.latency_ms > deadline_ms or answer.error_code == "timeout":
            answer = Answer(answer.status, deadline_ms, None, b"", "timeout")
        if answer.arrives:
            self.log.append(Seen(started_ms, request.url, dict(request.headers), request.body, answer, is_static))
        await asyncio.sleep(answer.latency_ms / 1000)
        if answer.error_code is not None:
            exchange = Exchange(
                started_ms, self._clock.ms - started_ms, error_code=answer.error_code, error_message="did not work"
            )
            return exchange, answer
        headers = tuple((answer.headers or {}).items())
        retry_after = next((value for name, value in headers if name.lower() == "retry-after"), None)
        body = request.body if self.echo else answer.body
        exchange = Exchange(
            started_ms,
            self._clock.ms - started_ms,
            answer.status,
            headers,
            body,
            retry_after=retry_after,
            remark=answer.remark,
        )
        return exchange, answer
