"""The quiet tenant: publishes two events a second, looks at its webhook once a second, and says what it noticed."""

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import httpx

from tests.support.beside import Beside
from tests.support.service import Document, Service, User, body_of, event

EVERY_SECONDS = 0.5
ASKED_AGAIN_SECONDS = 0.5


class Quiet:
    """One tenant with one webhook, whose receiver always answers 200 at once."""

    def __init__(self, service: Service, patience_seconds: float) -> None:
        self._service = service
        self._patience = patience_seconds
        self.user: User = service.user()
        self._path = service.path()
        self._webhook: Document = self.user.register(service.receiver.url(self._path))
        # every function on the way has started before anything is measured
        self.user.post("/events", event())
        service.receiver.wait_for(self._path, 1, patience_seconds)
        self._lock = threading.Lock()
        self._refused = 0
        self._reads: list[float] = []

    def live(self, name: str, seconds: float) -> Beside:
        """So many seconds of it, and what it noticed once all has arrived or patience is over."""
        planned: dict[str, float] = {}
        accepted: list[Future[str | None]] = []
        # as many at once as may hang: the next event is published in time, whatever becomes of this one
        with ThreadPoolExecutor(64) as pool:
            start = time.monotonic()
            for turn in range(int(seconds / EVERY_SECONDS)):
                time.sleep(max(0.0, start + turn * EVERY_SECONDS - time.monotonic()))
                event_id = f"quiet-{uuid.uuid4().hex}"
                planned[event_id] = time.monotonic()
                accepted.append(pool.submit(self._publish, event_id))
                if turn % 2 == 0:
                    pool.submit(self._look)
        known = {each.result() for each in accepted} - {None}
        self._await({each for each in planned if each in known})
        return self._noticed(name, {each: at for each, at in planned.items() if each in known}, len(planned))

    def _publish(self, event_id: str) -> str | None:
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            if self._answered(lambda: self.user.post("/events", event(id=event_id))):
                return event_id
            time.sleep(ASKED_AGAIN_SECONDS)
        return None

    def _look(self) -> None:
        began = time.monotonic()
        self._answered(lambda: self.user.get(f"/webhooks/{self._webhook['id']}"))
        with self._lock:
            self._reads.append(time.monotonic() - began)

    def _answered(self, request: Callable[[], httpx.Response]) -> bool:
        try:
            is_good = request().is_success
        except httpx.HTTPError:
            is_good = False
        with self._lock:
            self._refused += not is_good
        return is_good

    def _arrived(self) -> dict[str, float]:
        first: dict[str, float] = {}
        for request in self._service.receiver.requests(self._path)[1:]:
            first.setdefault(body_of(request)["id"], request.arrived)
        return first

    def _await(self, events: set[str]) -> None:
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline and not events <= self._arrived().keys():
            time.sleep(0.1)

    def _noticed(self, name: str, accepted: dict[str, float], planned: int) -> Beside:
        arrived = self._arrived()
        webhook_id = self._webhook["id"]
        deadline = time.monotonic() + self._patience
        while True:  # what has arrived a moment ago is recorded in a moment
            listed = self.user.items(f"/webhooks/{webhook_id}/deliveries", limit=100)
            odd = [one for one in listed if (one["status"], one["attempt_count"]) != ("delivered", 1)]
            if (not odd and len(listed) > len(arrived)) or time.monotonic() > deadline:
                break
            if any(one["attempt_count"] > 1 or one["status"] in ("failed", "abandoned") for one in odd):
                break
            time.sleep(0.5)
        figures = self.user.read(f"/webhooks/{webhook_id}/metrics")["totals"]
        return Beside(
            name,
            [arrived[each] - at for each, at in accepted.items() if each in arrived],
            lost=len(accepted.keys() - arrived.keys()),
            failed=len(odd),
            unknown=figures["unknown"],
            refused=self._refused,
            kept_out=planned - len(accepted),
            reads=list(self._reads),
        )
