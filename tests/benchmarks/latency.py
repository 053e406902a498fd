"""`make bench-latency`: from an event's scheduled time to the first byte at its receiver, on the local stack.

Time counts from the schedule and not from the sending, so that a generator that falls behind hides nothing; a run in
which it did is void. Beside ours, at the same rate, a chain of functions that do nothing goes over equal hops (bus,
queue, function, queue, function, HTTP): what it takes is the emulator's. Nothing else may be taken off.
"""

import argparse
import asyncio
import contextlib
import io
import json
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from localstack.stack import LocalStack
from tests.benchmarks import corpus
from tests.benchmarks.stub import Http, Receivers

RESULTS = Path(__file__).parent / "results" / "latency.json"
SOURCE = "noop"
LATE_SECONDS = 0.1  # a publishing that began so much after its time was late
LATE_SHARE = 0.01  # of all, above which the run is void
PATIENCE_SECONDS = 30
_FIRST = """
import json, os, boto3
sqs = boto3.client("sqs")
def handler(event, context):
    print("noop")
    bodies = [record["body"] for record in event["Records"]]
    entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
    sqs.send_message_batch(QueueUrl=os.environ["NEXT"], Entries=entries)
    return {"batchItemFailures": []}
"""
_SECOND = """
import http.client, json, os, urllib.parse
def handler(event, context):
    print("noop")
    for record in event["Records"]:
        identifier = json.loads(record["body"])["detail"]["id"]
        headers = {"webhook-id": identifier, "Content-Type": "application/json"}
        parts = urllib.parse.urlsplit(os.environ["NEXT"])
        connection = http.client.HTTPConnection(parts.hostname, parts.port)
        connection.request("POST", parts.path, record["body"].encode(), headers)
        connection.getresponse().read()
        connection.close()
    return {"batchItemFailures": []}
"""


@dataclass(slots=True)
class Ledger:
    """What was published when, by event id."""

    scheduled: dict[str, float] = field(default_factory=dict[str, float])
    began: dict[str, float] = field(default_factory=dict[str, float])

    def late(self) -> int:
        """Publishings that began too late."""
        return sum(self.began[each] - due > LATE_SECONDS for each, due in self.scheduled.items())


@contextlib.contextmanager
def receiving() -> Iterator[tuple[str, Receivers]]:
    """A receiver in a thread of its own; when the first byte of each event came."""
    receivers = Receivers()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> asyncio.Server:
        return await loop.create_server(lambda: Http(receivers.kept), "127.0.0.1", 0)

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/0/2/0", receivers
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


def chain(stack: LocalStack, url: str) -> None:
    """The functions that do nothing, on the stack's own bus."""
    sqs, bus = stack.client("sqs"), stack.outputs["EventBusName"]
    queues = [sqs.create_queue(QueueName=f"noop-{n}")["QueueUrl"] for n in range(2)]
    arns = [
        sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for queue in queues
    ]
    events = stack.client("events")
    events.put_rule(Name="noop", EventBusName=bus, EventPattern=json.dumps({"source": [SOURCE]}))
    events.put_targets(Rule="noop", EventBusName=bus, Targets=[{"Id": "noop", "Arn": arns[0]}])
    role = stack.client("iam").create_role(RoleName="noop", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    functions = stack.client("lambda")
    for number, (code, following) in enumerate([(_FIRST, queues[1]), (_SECOND, url)]):
        functions.create_function(
            FunctionName=f"noop-{number}", Runtime="python3.11", Role=role, Handler="app.handler",
            Code={"ZipFile": _zip(code)}, Timeout=30, Environment={"Variables": {"NEXT": following}},
        )  # fmt: skip
        functions.create_event_source_mapping(
            FunctionName=f"noop-{number}", EventSourceArn=arns[number], BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )  # fmt: skip


def _zip(code: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", code)
    return buffer.getvalue()


def register(stack: LocalStack, url: str) -> None:
    """One webhook for all events of workspace 1."""
    token = stack.token("7", workspace_ids=[1])
    wanted = {"name": "latency", "url": url, "workspace_id": 1, "subscriptions": [{"event_type": "*"}]}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urlopen(Request(f"{stack.base_url}/api/v1/webhooks", json.dumps(wanted).encode(), headers)) as answer:
        answer.read()


def publish(stack: LocalStack, *, rate: float, seconds: float) -> tuple[Ledger, Ledger]:
    """Both chains at the same rate, half a beat apart."""
    client, bus = stack.client("events"), stack.outputs["EventBusName"]
    ours, noop = Ledger(), Ledger()
    events = corpus.events(2)

    def send(ledger: Ledger, source: str, identifier: str, number: int) -> None:
        ledger.began[identifier] = time.monotonic()
        detail = {**events[number % len(events)], "id": identifier, "workspace_id": 1, "user_id": 7}
        entry = {"Source": source, "DetailType": "record.updated", "Detail": json.dumps(detail), "EventBusName": bus}
        client.put_events(Entries=[entry])

    with ThreadPoolExecutor(8) as pool:
        start = time.monotonic() + 0.2
        for number in range(round(rate * seconds)):
            for half, (ledger, source) in enumerate([(ours, "pyairtable"), (noop, SOURCE)]):
                identifier = f"lat-{uuid.uuid4().hex}"
                ledger.scheduled[identifier] = due = start + (number + half / 2) / rate
                time.sleep(max(0, due - time.monotonic()))
                pool.submit(send, ledger, source, identifier, number)
    return ours, noop


def percentiles(ledger: Ledger, arrivals: dict[str, float]) -> dict[str, float]:
    """Milliseconds from the schedule to the first byte, over what was completed."""
    waits = sorted((arrivals[each] - due) * 1000 for each, due in ledger.scheduled.items() if each in arrivals)
    figures = {f"p{p}": waits[min(len(waits) - 1, len(waits) * p // 100)] if waits else 0.0 for p in (50, 95, 99)}
    return {"published": len(ledger.scheduled), "completed": len(waits),
            "missing": len(ledger.scheduled) - len(waits), "late": ledger.late(), **figures}  # fmt: skip


def run(stack: LocalStack, receivers: Receivers, *, rate: float, seconds: float) -> dict[str, Any]:
    """One steady rate."""
    receivers.arrivals.clear()
    ours, noop = publish(stack, rate=rate, seconds=seconds)
    wanted = ours.scheduled.keys() | noop.scheduled.keys()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while wanted - receivers.arrivals.keys() and time.monotonic() < deadline:
        time.sleep(0.1)
    arrivals = dict(receivers.arrivals)
    found = {"ours": percentiles(ours, arrivals), "noop": percentiles(noop, arrivals)}
    late = (ours.late() + noop.late()) / len(wanted)
    return {"rate": rate, "seconds": seconds, "void": late > LATE_SHARE, **found}


def report(rows: Sequence[dict[str, Any]]) -> None:
    """The table."""
    write = sys.stdout.write
    write(
        f"{'rate':>6}{'chain':>8}{'published':>11}{'completed':>11}{'missing':>9}{'late':>6}{'p50':>8}{'p95':>8}{'p99':>8}\n"
    )
    for row in rows:
        for name in ("ours", "noop"):
            each = row[name]
            write(f"{row['rate']:>6g}{name:>8}{each['published']:>11}{each['completed']:>11}{each['missing']:>9}")
            write(f"{each['late']:>6}{each['p50']:>8.0f}{each['p95']:>8.0f}{each['p99']:>8.0f}")
            write("  VOID: the generator fell behind\n" if row["void"] else "\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, action="append")
    parser.add_argument("--seconds", type=float, default=20)
    args = parser.parse_args()
    with LocalStack() as stack, receiving() as (url, receivers):
        register(stack, url)
        chain(stack, url)
        run(stack, receivers, rate=5, seconds=5)  # processes start
        rows = [run(stack, receivers, rate=rate, seconds=args.seconds) for rate in args.rate or [5, 20]]
    report(rows)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
