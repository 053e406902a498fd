"""The one line that each batch logs, which is its record in CloudWatch's metrics too.

CloudWatch reads the numbers out of the line (Amazon CloudWatch User Guide, "Embedded metric format specification"): no
call is made, and nothing is written twice. So the line is written at every log level. What follows the batch's single
deliveries (`steps`, `event_ids`, ...) is for people, and goes with LOG_LEVEL. Only what an alarm or the dashboard looks
at is a metric: each has its price.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

NAMESPACE = "PyAirtableWebhooks"
DIMENSION = "function"  # its name begins with the stack's, so that stacks of one account stay apart

Unit = Literal["Count", "Milliseconds"]
INGEST: Mapping[str, Unit] = {
    "events": "Count",
    "queued": "Count",
    "missed": "Count",
    "skipped": "Count",
    "unknown_type": "Count",
    "duplicates": "Count",
    "refused": "Count",
    "failed": "Count",
}
SENDER: Mapping[str, Unit] = {
    "delivered": "Count",
    "failed_attempts": "Count",
    "given_up": "Count",
    "parked": "Count",
    "returned": "Count",
    "unknown": "Count",
    "unreadable": "Count",
}
REPLAY: Mapping[str, Unit] = {
    "buried": "Count",
    "lost": "Count",
    "unreadable": "Count",
    "failed": "Count",
}
REPLAY_JOBS: Mapping[str, Unit] = {"failed": "Count"}
RELEASE: Mapping[str, Unit] = {
    "due": "Count",
    "from_rooms": "Count",
    "failures": "Count",
    "unreadable": "Count",
    "out_of_time": "Count",
    "open_circuits": "Count",
    "waiting_deliveries": "Count",
    "rollup_lag_ms": "Milliseconds",
}
ROLLUP: Mapping[str, Unit] = {"unreadable": "Count"}
AUTHORIZER: Mapping[str, Unit] = {"stale_keys": "Count"}


class Context(Protocol):
    """What we ask of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Until the function's timeout."""
        ...

    @property
    def function_name(self) -> str:
        """The function's name."""
        ...

    @property
    def aws_request_id(self) -> str:
        """The invocation's id."""
        ...


Handler = Callable[[dict[str, Any], Context], dict[str, Any]]


class BatchLog:
    """Writes the lines of one function. `metrics`: which of the fields are metrics, with their units. `detailed`: the
    line also has the steps of single messages. `function`: whose metrics they are, if not the function's own."""

    def __init__(
        self,
        metrics: Mapping[str, Unit],
        *,
        now_ms: Callable[[], int],
        detailed: bool = True,
        function: str | None = None,
        write: Callable[[str], object] = sys.stdout.write,
    ) -> None:
        self._metrics = metrics
        self._detailed = detailed
        self._function = function
        self._now_ms = now_ms
        self._write = write

    def line(self, message: str, context: Context, **fields: Any) -> None:  # noqa: ANN401 - JSON
        """One line with all fields that say something. What is 0 or empty is left out: CloudWatch bills logs by the
        byte and metrics by the hour in which there is one, and alarms take what is missing for none."""
        given = {name: value for name, value in fields.items() if value}
        if not self._detailed:
            given.pop("steps", None)
        counted = [{"Name": name, "Unit": unit} for name, unit in self._metrics.items() if name in given]
        if counted:
            directive = {"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": counted}
            given["_aws"] = {"Timestamp": self._now_ms(), "CloudWatchMetrics": [directive]}
        document = {
            "level": "INFO",
            "message": message,
            DIMENSION: self._function or context.function_name,
            "function_request_id": context.aws_request_id,
            **given,
        }
        self._write(json.dumps(document, separators=(",", ":"), default=str) + "\n")


def oldest_ms(records: Sequence[Mapping[str, Any]], now_ms: int) -> int:
    """How long the oldest message of Lambda's SQS event was on its queue."""
    sent_ms = min((int(record["attributes"]["SentTimestamp"]) for record in records), default=now_ms)
    return max(0, now_ms - sent_ms)
