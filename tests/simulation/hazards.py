"""What can go wrong around a function, beside the faults of its calls (tests/fakes/faults.py): each with its source."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.fakes.receivers import Answer

SQS = (
    "ingest",
    "sender",
    "dead_letter_writer",
    "jobs",
)  # what reads a queue; dead_letter_writer and jobs are both in functions/replay
FUNCTIONS = (*SQS, "release", "rollup", "api")


@dataclass(frozen=True, slots=True)
class Hazard:
    """Where it can happen, and who says so."""

    where: tuple[str, ...]
    source: str


LAMBDA, EVENTBRIDGE = "AWS Lambda Developer Guide", "Amazon EventBridge User Guide"
HAZARDS: Mapping[str, Hazard] = {
    "shown_twice": Hazard(SQS, "Amazon SQS Developer Guide, standard queues: at-least-once delivery"),
    "reordered": Hazard(SQS, "Amazon SQS Developer Guide, standard queues: best-effort ordering"),
    "visibility_ran_out": Hazard(SQS, "Amazon SQS Developer Guide, visibility timeout: shown again too early"),
    "in_flight_limit": Hazard(SQS, "Amazon SQS Developer Guide, message quotas: OverLimit at 120,000 in flight"),
    "throttled_poller": Hazard(SQS, f"{LAMBDA}, SQS: a throttled function's batch was received all the same"),
    "batch_answer_lost": Hazard(SQS, f"{LAMBDA}, SQS: a batch that failed as a whole comes again"),
    "partly_deleted": Hazard(SQS, "Amazon SQS API Reference, DeleteMessageBatch: some entries can fail"),
    "invoked_twice": Hazard(SQS, f"{LAMBDA}, event source mappings: each event at least once"),
    "recycled": Hazard(FUNCTIONS, f"{LAMBDA}, execution environment lifecycle: a new process"),
    "timed_out": Hazard(FUNCTIONS, f"{LAMBDA}, function timeout: killed in the middle of a call"),
    "clock_skew": Hazard(FUNCTIONS, "Amazon Time Sync Service: clocks of two processes differ"),
    "redriven": Hazard(("ingest", "sender"), "Amazon SQS Developer Guide, dead-letter queues: received too often"),
    "run_twice": Hazard(("release",), "Amazon EventBridge Scheduler User Guide: at-least-once invocation"),
    "run_missed": Hazard(("release",), f"{LAMBDA}, asynchronous invocation: later or dropped"),
    "stream_repeated": Hazard(("rollup",), f"{LAMBDA}, DynamoDB streams: a batch is tried again, done or not"),
    "stream_moved": Hazard(("rollup",), f"{LAMBDA}, DynamoDB streams: bisect, and checkpoints within a batch"),
    "stream_stalled": Hazard(("rollup",), f"{LAMBDA}, DynamoDB streams: a shard is behind, then much comes at once"),
    "event_twice": Hazard(("bus",), f"{EVENTBRIDGE}: a rule can run more than once for an event"),
    "event_late": Hazard(("bus",), f"{EVENTBRIDGE}: a target is tried again for up to 24 hours"),
    "event_refused": Hazard(("bus",), f"{EVENTBRIDGE}: dead-letter queue of a rule's target, and its redrive"),
    "stale_index": Hazard(("table",), "Amazon DynamoDB Developer Guide, global secondary indexes: they lag"),
    "unreadable_message": Hazard(SQS, "a newer version, rolled back; an operator's hand; a fault of ours"),
    "unreadable_item": Hazard(("table",), "a newer version, rolled back: a webhook's state, until it is mended"),
    "throttled_minute": Hazard(("region",), "Amazon DynamoDB Developer Guide, throttling: a table that has to grow"),
    "storm": Hazard(("region",), "AWS Post-Event Summaries: minutes in which a good part of all calls fails"),
}  # fmt: skip

RECEIVERS: Mapping[str, tuple[Answer, str]] = {
    "connect_refused": (Answer(error_code="connect_refused"), "RFC 9293, a reset in answer to SYN"),
    "connect_timeout": (Answer(latency_ms=3_000, error_code="connect_timeout"), "no answer to SYN"),
    "dns": (Answer(error_code="dns"), "RFC 1035, NXDOMAIN or SERVFAIL"),
    "tls": (Answer(error_code="tls"), "RFC 8446, an alert in the handshake"),
    "refused_address": (Answer(error_code="refused_address"), "our own egress rule"),
    "reset_after_taking": (Answer(latency_ms=80, error_code="connect_reset"), "RFC 9293, a reset before the response"),
    "timeout": (Answer(error_code="timeout"), "the deadline of an attempt"),
    "just_in_time": (Answer(latency_ms=950), "an answer shortly before the deadline"),
    "redirect": (Answer(301), "RFC 9110, 15.4"),
    "client_error": (Answer(404), "RFC 9110, 15.5"),
    "gone": (Answer(410), "RFC 9110, 15.5.11"),
    "too_many": (Answer(429, headers={"Retry-After": "20"}), "RFC 6585, 4"),
    "server_error": (Answer(500), "RFC 9110, 15.6"),
    "bad_gateway": (Answer(502), "RFC 9110, 15.6.3"),
}


def kind_of(answer: Answer) -> str:
    """Which of RECEIVERS an answer is like; "" for a success."""
    if answer.error_code is not None:
        return {"connect_reset": "reset_after_taking"}.get(answer.error_code, answer.error_code)
    for status, name in ((410, "gone"), (429, "too_many"), (502, "bad_gateway")):
        if answer.status == status:
            return name
    return {3: "redirect", 4: "client_error", 5: "server_error"}.get(answer.status // 100, "")
