"""A scenario run over the metered service: what a delivery takes of everything that AWS bills."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.benchmarks import corpus
from tests.benchmarks.cost.bill import Bill, bill_of
from tests.benchmarks.cost.service import MeteredService

HTTP_BATCH = 100
EVENTS = 1000
STRETCH_MS = 6_000  # of a stream in which some deliveries fail: a first retry comes in the next one
STRETCHES, LAST_STRETCHES = 30, 8  # nothing fails in the last ones, in which second retries come
Row = dict[str, Any]


def events_of(kilobytes: int, count: int) -> list[Mapping[str, Any]]:
    """So many events of the corpus, in turn; 0: small ones."""
    return list(itertools.islice(itertools.cycle(corpus.events(kilobytes)), count))


def batches(events: Sequence[Mapping[str, Any]], size: int) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Slices of at most `size`."""
    for start in range(0, len(events), size):
        yield events[start : start + size]


def run_scenario(
    *,
    entry: str = "http",
    at_once: int = HTTP_BATCH,
    kilobytes: int = 2,
    fan_out: int = 1,
    fill: int = 10,
    tries: int = 1,
    count: int = EVENTS,
    rate_limit_rps: float | None = None,
    waiting_ms: float = 100,
    ingest_fill: int | None = None,
    received: Mapping[str, int] | None = None,
    variables: Mapping[str, str] | None = None,
    streamed: bool = False,
    short_errors: bool = True,
) -> tuple[MeteredService, Bill, Row]:
    """Every event through the real handlers over the metered fakes. `waiting_ms`: what is billed for receivers
    to answer; their own time is 100 ms here, so that none counts as slow (0023).
    `streamed`: events come one stretch after the other, and what is tried again comes among first tries, in batches as
    full as theirs."""
    service = MeteredService(
        fan_out=fan_out, batch_size=fill, ingest_batch=ingest_fill, received=received, variables=variables,
        rate_limit_rps=rate_limit_rps, failures=tries - 1, short_errors=short_errors,
    )  # fmt: skip
    events = events_of(kilobytes, count)
    publish = {
        "http": service.publish_over_http, "bus": service.publish_on_the_bus, "queue": service.publish_on_the_queue,
    }[entry]  # fmt: skip
    stretches = list(batches(events, -(-count // STRETCHES))) if streamed else [events]
    service.receivers.failing_until_ms = service.world.clock.ms + (STRETCHES - LAST_STRETCHES) * STRETCH_MS
    for stretch in stretches:
        for batch in batches(stretch, at_once):
            publish(batch)
        if streamed:
            service.run_on(STRETCH_MS)
    service.run()
    deliveries = count * fan_out
    if len(service.world.deliveries()) != deliveries + fan_out:  # and the warm-up's
        raise RuntimeError("not everything was delivered")
    chunks = sum(max(1, -(-(corpus.payload_bytes(event) + 150) // 65_536)) for event in events)
    bill = bill_of(
        service.meter, deliveries=deliveries, events=count, entry=entry, bus_events=chunks, waiting_ms=waiting_ms
    )
    meter = service.meter
    row: Row = {
        "entry": entry, "at_once": at_once, "payload_kb": kilobytes, "fan_out": fan_out, "batch_fill": fill,
        "tries": tries, "rate_limit": rate_limit_rps is not None, "deliveries": deliveries,
        "sender_calls": meter.calls["sender"] / deliveries,
        "all_calls": sum(meter.calls.values()) / deliveries,
        "sender_write_units": meter.write_units["sender"] / deliveries,
        "record_write_units": meter.written["dlv"] / deliveries,
        "event_write_units": meter.write_units["ingest"] / count,
        "write_units": sum(meter.write_units.values()) / deliveries,
        "read_units": sum(meter.read_units.values()) / deliveries,
        "sqs_requests": sum(meter.sqs.values()) / deliveries,
        "gb_seconds": sum(v for k, v in bill.amounts.items() if "GB-seconds" in k) / deliveries,
        "invocations": sum(meter.invocations.values()) / deliveries,
        "dollars_per_million": bill.per_million,
        "lines": {line: value / deliveries for line, value in bill.lines.items()},
    }  # fmt: skip
    return service, bill, row


def run_pull(count: int, at_once: int = HTTP_BATCH) -> tuple[Bill, Bill]:
    """Events of 2 KB for a pull webhook, that come as `run_scenario` has them: recorded; and read once as well."""
    service = MeteredService(kind="pull")
    for batch in batches(events_of(2, count), HTTP_BATCH):
        service.publish_over_http(batch)
    service.run()
    recorded = bill_of(service.meter, deliveries=count, events=count, entry="http")
    if service.read(at_once) != count + 1:  # and the warm-up's
        raise RuntimeError("not everything was read")
    return recorded, bill_of(service.meter, deliveries=count, events=count, entry="http")


def three_tries(first_try: Row, **scenario: Any) -> Row:
    """A delivery that fails twice, from a stream in which a few do: what that takes on top of one in which none does,
    by their number."""
    count = STRETCHES * max(scenario.get("at_once", HTTP_BATCH), scenario.get("fill", 10), 10)  # so that some fail
    calm = run_scenario(streamed=True, count=count, **scenario)[2]
    service, _, mixed = run_scenario(streamed=True, tries=3, count=count, **scenario)
    failing = service.receivers.failed / 2 / mixed["deliveries"]
    units = {name: value for name, value in mixed.items() if isinstance(value, float)}
    return {**mixed, **_apart(first_try, calm, units, failing), "lines": _apart(
        first_try["lines"], calm["lines"], mixed["lines"], failing
    )}  # fmt: skip


def _apart(first: Row, calm: Row, mixed: Row, share: float) -> Row:
    return {name: first.get(name, 0) + (mixed[name] - calm.get(name, 0)) / share for name in mixed}
