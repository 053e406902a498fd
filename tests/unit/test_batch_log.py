"""The line of a batch, as CloudWatch's embedded metric format demands it. CloudWatch User Guide, "Specification"."""

import json
from dataclasses import fields
from typing import Any

import pytest

from webhooks import batch_log
from webhooks.batch_log import BatchLog, oldest_ms
from webhooks.delivery.job import SendReport
from webhooks.delivery.release import ReleaseReport
from webhooks.events.ingest_batch import IngestReport


class Context:
    function_name = "stack-sender"
    aws_request_id = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def written(**given: Any) -> dict:  # type: ignore[type-arg]
    lines: list[str] = []
    BatchLog(batch_log.SENDER, now_ms=lambda: 1_000, write=lines.append).line("batch sent", Context(), **given)
    (line,) = lines
    assert line.endswith("\n")
    assert line.count("\n") == 1
    return json.loads(line)


def test_a_line_names_its_function_and_invocation() -> None:
    line = written(delivered=3)
    assert (line["message"], line["function"], line["function_request_id"]) == (
        "batch sent", "stack-sender", "request-1",
    )  # fmt: skip


def test_each_metric_is_a_number_at_the_top_and_each_dimension_a_string_there() -> None:
    line = written(delivered=3, given_up=0, parked=None, returned=2, steps=["dlv_1 evt_1 delivered"], again=1)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert line["_aws"]["Timestamp"] == 1_000
    assert {each["Name"] for each in directive["Metrics"]} == {"delivered", "returned"}
    assert all(isinstance(line[each["Name"]], int) for each in directive["Metrics"])
    assert directive["Dimensions"] == [["function"]]
    assert all(isinstance(line[name], str) for name in directive["Dimensions"][0])


def test_what_is_not_known_or_did_not_happen_is_left_out() -> None:
    line = written(delivered=0, oldest_ms=None, steps=[])
    assert line.keys() == {"level", "message", "function", "function_request_id"}


@pytest.mark.parametrize(
    ("metrics", "report", "besides"),
    [
        (batch_log.SENDER, SendReport, set[str]()),
        (batch_log.INGEST, IngestReport, set[str]()),
        (batch_log.RELEASE, ReleaseReport, {"open_circuits", "waiting_deliveries", "rollup_lag_ms"}),
    ],
)
def test_every_metric_is_counted_by_its_use_case(metrics: dict[str, str], report: type, besides: set[str]) -> None:
    assert set(metrics) - {each.name for each in fields(report)} == besides


def test_the_oldest_message_tells_how_long_the_queue_is() -> None:
    records = [{"attributes": {"SentTimestamp": str(sent)}} for sent in (900, 400, 700)]
    assert oldest_ms(records, 1_000) == 600
    assert oldest_ms([], 1_000) == 0
