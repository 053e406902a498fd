"""A real Prometheus scrapes the running service during a load with failures: it counts what the receiver counted.

PROMETHEUS_DELIVERIES sets the load's size; `make scrape` takes 5,000.
"""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from localstack.stack import LocalStack
from tests.infrastructure.template_document import PROJECT
from tests.infrastructure.test_grafana import queries
from tests.support.receiver import Behaviour, answer
from tests.support.service import Service, User, event, eventually

DELIVERIES = int(os.environ.get("PROMETHEUS_DELIVERIES", "300"))
PATIENCE = 120 + DELIVERIES / 8
CYCLE = (answer(503), answer(), answer(), answer(), answer(), answer(), answer(), answer(), answer(), answer())

pytestmark = [
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed (Debian: apt install)"),
    pytest.mark.slow,
    pytest.mark.timeout(900 + DELIVERIES // 4),
]


@dataclass(frozen=True)
class Prometheus:
    """A running one."""

    url: str

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """(labels, value) of each series, as of now."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", answer
        return [(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]

    def total(self, expression: str) -> int:
        """The sum over all series; 0 without any."""
        return round(sum(value for _, value in self.query(expression)))

    def scraped_since(self, time_s: float) -> bool:
        """Whether a scrape that began later is in."""
        found = self.query('timestamp(up{job="webhooks"} == 1)')
        return bool(found) and found[0][1] > time_s


@pytest.fixture(scope="module")
def alone() -> Iterator[Service]:
    """A service of its own, that nobody else's deliveries are counted by."""
    with LocalStack(parameters={"RetryBaseSeconds": "0.2"}) as stack, Service.of(stack) as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(alone: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Our own configuration and rules, with this stack as the target and a scrape each four seconds."""
    folder = tmp_path_factory.mktemp("prometheus")
    source = PROJECT / "monitoring" / "prometheus"
    config = yaml.safe_load((source / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "4s", "scrape_timeout": "4s", "evaluation_interval": "4s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [alone.stack.base_url.removeprefix("http://")]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(source / "alerts.yml", folder)
    (folder / "token").write_text(alone.stack.token("prometheus", scope="metrics:read"))
    with _running(folder) as url:
        yield Prometheus(url)


@contextmanager
def _running(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(f"{url}/-/ready"))
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


def _load(service: Service, user: User, size: int, cycles: dict[str, tuple[Behaviour, ...]]) -> list[str]:
    """Webhooks subscribed to everything, one for each behaviour, and so many events; the receiver's paths."""
    paths: list[str] = []
    for name, cycle in cycles.items():
        path = service.path(*cycle * (2 * size // len(cycle) + 1), answer())
        retries = 0 if name == "given up" else 5
        user.register(service.receiver.url(path), name=name, max_retries=retries)
        paths.append(path)
    for start in range(0, size, 100):
        sent = user.post("/events", {"events": [event() for _ in range(min(100, size - start))]})
        assert sent.status_code == 202, sent.text
    return paths


def _settle(service: Service, prometheus: Prometheus, deliveries: int) -> None:
    """Until all of them are over, and a scrape after that is in."""
    over = "webhook_delivery_successes_total + webhook_dead_letters_total"

    def is_over() -> bool:
        if prometheus.total("sum(webhook_parked_deliveries)"):
            service.run_release()
        return prometheus.total(over) >= deliveries

    eventually(is_over, timeout=PATIENCE, every=1)
    over_since = time.time()  # what a late attempt adds has come through rollup seconds later
    eventually(lambda: prometheus.scraped_since(over_since + 10), timeout=90, every=0.5)


def test_prometheus_counts_what_the_receiver_counted(alone: Service, prometheus: Prometheus) -> None:
    user = alone.user()
    cycles = {"fine": (answer(),), "flaky": CYCLE, "given up": (*CYCLE[:1] * 1, *CYCLE[1:] * 2)}
    size = -(-DELIVERIES // len(cycles))
    paths = _load(alone, user, size, cycles)
    _settle(alone, prometheus, size * len(cycles))

    requests = {path: len(alone.receiver.requests(path)) for path in paths}
    failed = _failures(alone, user)
    total = sum(requests.values())
    assert prometheus.total("webhook_deliveries_total") == size * len(cycles)
    assert prometheus.total("webhook_delivery_attempts_total") == total
    assert prometheus.total("sum(webhook_delivery_failures_total)") == failed["http_503"] == _refused(paths, requests)
    assert prometheus.total("webhook_delivery_successes_total") == total - failed["http_503"]
    assert prometheus.total("webhook_delivery_duration_seconds_count") == total
    assert prometheus.total("webhook_events_total") == size + _announced(prometheus, size)
    assert prometheus.total("webhook_dead_letters_total") == _dead(user)
    assert prometheus.total("webhook_delivery_unknown_total") == 0
    # at least a unit for each event, and one for each delivery
    assert prometheus.total('webhook_cost_units_total{item="event"}') >= size
    assert prometheus.total('webhook_cost_units_total{item="delivery"}') >= size * len(cycles)


def test_an_event_that_comes_again_is_counted_as_suppressed(alone: Service, prometheus: Prometheus) -> None:
    user, again = alone.user(), event()
    counted = 'webhook_duplicates_suppressed_total{kind="event"}'
    before = prometheus.total(counted)
    for times in range(3):
        assert user.post("/events", again).status_code == 202
        eventually(lambda times=times: prometheus.total(counted) == before + times, timeout=90, every=0.5)


def _refused(paths: list[str], requests: dict[str, int]) -> int:
    """How many requests the receiver answered with 503: it goes by its scripts, request by request."""
    cycles = dict(zip(paths, (1, 10, 19), strict=True))
    return sum(-(-requests[path] // length) for path, length in cycles.items() if length > 1)


def _failures(service: Service, user: User) -> Counter[str]:
    failed: Counter[str] = Counter()
    for webhook in user.items("/webhooks"):
        failed.update(user.read(f"/webhooks/{webhook['id']}/metrics")["totals"]["failure_reasons"])
    return failed


def _dead(user: User) -> int:
    return sum(len(user.items(f"/webhooks/{each['id']}/dead-letters")) for each in user.items("/webhooks"))


def _announced(prometheus: Prometheus, published: int) -> int:
    """Our own operational events are events too."""
    return prometheus.total("webhook_events_total") - published


def test_every_query_of_grafana_returns_data(prometheus: Prometheus) -> None:
    def without_data() -> list[str]:
        # How the API did is known from API Gateway's metrics, which only AWS has.
        asked = [(title, query) for title, query in queries() if "webhooks:unavailable" not in query]
        return [f"{title}: {query}" for title, query in asked if not prometheus.query(query)]

    eventually(without_data, lambda missing: not missing, timeout=60, every=1)  # growth takes two scrapes


def test_with_senders_killed_the_receiver_has_no_more_than_is_known_or_unknown(
    alone: Service, prometheus: Prometheus
) -> None:
    sqs, url = alone.client("sqs"), alone.stack.outputs["DeliveryQueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "15"})  # for what the killed had
    before = prometheus.total("webhook_delivery_attempts_total"), prometheus.total("webhook_delivery_unknown_total")
    over = prometheus.total("webhook_delivery_successes_total + webhook_dead_letters_total")
    user = alone.user()
    size = max(100, DELIVERIES // 10)
    stop = threading.Event()

    def kill() -> None:
        for _ in range(3):
            if stop.wait(2):
                return
            for pid in alone.stack.workers("SenderFunction")[:1]:
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        paths = _load(alone, user, size, {"slow": (answer(delay_seconds=0.2),)})
        _settle(alone, prometheus, over + size)
    finally:
        stop.set()
        killer.join()
    known = prometheus.total("webhook_delivery_attempts_total") - before[0]
    unknown = prometheus.total("webhook_delivery_unknown_total") - before[1]
    received = sum(len(alone.receiver.requests(path)) for path in paths)
    assert size <= known <= received <= known + unknown
