"""A scenario run over the metered service: what a delivery takes of everything that AWS bills."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.benchmarks import corpus
from tests.benchmarks.cost.bill import Bill, bill_of
from tests.benchmarks.cost.service import MeteredService

HTTP_BATCH = 100
EVENTS = 1000
Row = dict[str, Any]


# Of 0.3 KB: what most events are that name a record and a few of its fields.
SMALL = {
    "type": "record.updated",
    "data": {"table_id": "tblQ8sC1x5mVd0Lp", "record_id": "recW3kZr7yTn2HbX", "fields": {
        "Name": "Order 10482", "Status": "Shipped", "Total": 129.9, "Customer": "Maja Lindqvist", "City": "Malmö",
        "Note": "leave with the neighbour on the second floor"}},
}  # fmt: skip


def events_of(kilobytes: int, count: int) -> list[Mapping[str, Any]]:
    """So many events of the corpus, in turn; 0: small ones."""
    return list(itertools.islice(itertools.cycle(corpus.events(kilobytes) if kilobytes else [SMALL]), count))


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
) -> tuple[MeteredService, Bill, Row]:
    """Every event through the real handlers over the metered fakes. `waiting_ms`: what is billed for receivers
    to answer; their own time is 100 ms here, so that none counts as slow (0023)."""
    service = MeteredService(
        fan_out=fan_out, batch_size=fill, ingest_batch=ingest_fill, received=received, variables=variables,
        rate_limit_rps=rate_limit_rps, failures=tries - 1,
    )  # fmt: skip
    events = events_of(kilobytes, count)
    publish = {
        "http": service.publish_over_http, "bus": service.publish_on_the_bus, "queue": service.publish_on_the_queue,
    }[entry]  # fmt: skip
    for batch in batches(events, at_once):
        publish(batch)
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


def three_tries(first_try: Row, count: int, **scenario: Any) -> Row:
    """A delivery that fails twice, from a run in which a few do: what such a run takes on top, by their number."""
    service, _, mixed = run_scenario(tries=3, count=count, **scenario)
    share = service.receivers.failed / 2 / count
    units = [name for name, value in mixed.items() if isinstance(value, float)]
    return {**mixed, **_apart(first_try, mixed, units, share), "lines": _apart(
        first_try["lines"], mixed["lines"], mixed["lines"], share
    )}  # fmt: skip


def _apart(first: Row, mixed: Row, names: Iterable[str], share: float) -> Row:
    return {name: first.get(name, 0) + (mixed[name] - first.get(name, 0)) / share for name in names}
