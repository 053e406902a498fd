"""Every alarm and every widget of the dashboard names a metric that is emitted, of something that there is."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.infrastructure.template_document import PROJECT, Template, dimensions_of
from webhooks import batch_log

# The documents: "Available CloudWatch metrics for Amazon SQS", "Types of metrics for Lambda functions", "DynamoDB
# metrics and dimensions", "Amazon API Gateway dimensions and metrics".
AWS = {
    "AWS/SQS": (
        {"QueueName"},
        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
    ),
    "AWS/Lambda": (
        {"FunctionName"},
        {"Errors", "Throttles", "Duration", "Invocations", "ConcurrentExecutions", "IteratorAge"},
    ),
    "AWS/DynamoDB": (
        {"TableName"},
        {"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents"},
    ),
    "AWS/ApiGateway": ({"ApiName", "Stage"}, {"Count", "4XXError", "5XXError", "Latency"}),
}
OURS = {
    "IngestFunction": [batch_log.INGEST],
    "SenderFunction": [batch_log.SENDER],
    "ReplayFunction": [batch_log.REPLAY, batch_log.REPLAY_JOBS],
    "ReleaseFunction": [batch_log.RELEASE],
    "RollupFunction": [batch_log.ROLLUP],
    "AuthorizerFunction": [batch_log.AUTHORIZER],
}
RESOURCE_TYPES = {
    "QueueName": "AWS::SQS::Queue",
    "FunctionName": "AWS::Serverless::Function",
    "function": "AWS::Serverless::Function",
    "TableName": "AWS::DynamoDB::Table",
}
Named = tuple[str, str, dict[str, str]]  # namespace, metric, dimensions


def _of_alarm(properties: Mapping[str, Any]) -> Iterator[Named]:
    if "Metrics" not in properties:
        yield properties["Namespace"], properties["MetricName"], dimensions_of(properties["Dimensions"])
        return
    for each in properties["Metrics"]:
        if "MetricStat" in each:
            metric = each["MetricStat"]["Metric"]
            yield metric["Namespace"], metric["MetricName"], dimensions_of(metric["Dimensions"])


def _widgets(template: Template) -> list[dict[str, Any]]:
    return json.loads(template.properties("Dashboard")["DashboardBody"]["Fn::Sub"][0])["widgets"]


def _of_widget(widget: Mapping[str, Any]) -> Iterator[Named]:
    for row in widget["properties"]["metrics"]:
        if isinstance(row[0], dict):  # an expression
            continue
        namespace, metric, *rest = (part for part in row if isinstance(part, str))
        values = [re.sub(r"^\$\{([^.}]+).*\}$", r"\1", value) for value in rest[1::2]]
        yield namespace, metric, dict(zip(rest[::2], values, strict=True))


def _check(template: Template, where: str, named: Named) -> None:
    namespace, metric, dimensions = named
    if namespace == batch_log.NAMESPACE:
        assert set(dimensions) == {batch_log.DIMENSION}, where
        assert any(metric in metrics for metrics in OURS[dimensions[batch_log.DIMENSION]]), f"{where}: {metric}"
    else:
        expected, metrics = AWS[namespace]
        assert set(dimensions) - {"GlobalSecondaryIndexName"} == expected, where
        assert metric in metrics, f"{where}: {metric}"
    for name, logical_id in dimensions.items():
        if name in RESOURCE_TYPES:
            assert template.resources[logical_id]["Type"] == RESOURCE_TYPES[name], where
        elif name == "GlobalSecondaryIndexName":
            indexes = template.properties("Table")["GlobalSecondaryIndexes"]
            assert logical_id in {index["IndexName"] for index in indexes}, where
        else:
            assert logical_id in ("AWS::StackName", "Stage"), where


def test_each_alarm_names_metrics_that_are_emitted(template: Template) -> None:
    alarms = template.of_type("AWS::CloudWatch::Alarm")
    assert len(alarms) > 20
    for name, properties in alarms.items():
        named = list(_of_alarm(properties))
        assert named, name
        for each in named:
            _check(template, name, each)


def test_each_widget_names_metrics_that_are_emitted(template: Template) -> None:
    for widget in _widgets(template):
        named = list(_of_widget(widget))
        assert named, widget["properties"]["title"]
        for each in named:
            _check(template, widget["properties"]["title"], each)


def test_each_metric_of_ours_is_looked_at(template: Template) -> None:
    """By an alarm or a widget: CloudWatch bills each by the hour."""
    alarms = template.of_type("AWS::CloudWatch::Alarm").values()
    named = [each for properties in alarms for each in _of_alarm(properties)]
    named += [each for widget in _widgets(template) for each in _of_widget(widget)]
    seen = {(where.get(batch_log.DIMENSION), metric) for _, metric, where in named}
    ours = {(function, name) for function, metrics in OURS.items() for each in metrics for name in each}
    assert ours <= seen


def test_widgets_do_not_overlap_and_fit_the_dashboards_24_columns(template: Template) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in _widgets(template):
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken, widget["properties"]["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_expressions_speak_of_metrics_beside_them(template: Template) -> None:
    for name, properties in template.of_type("AWS::CloudWatch::Alarm").items():
        ids = {each["Id"] for each in properties.get("Metrics", []) if "MetricStat" in each}
        for each in properties.get("Metrics", []):
            if "Expression" in each:
                words = set(re.findall(r"\b[a-z]\w*\b", each["Expression"]))
                assert words == ids, name


@pytest.mark.parametrize(
    ("function", "constants"),
    [
        ("ingest", ["INGEST"]),
        ("sender", ["SENDER"]),
        ("replay", ["REPLAY", "REPLAY_JOBS"]),
        ("release", ["RELEASE"]),
        ("rollup", ["ROLLUP"]),
        ("authorizer", ["AUTHORIZER"]),
    ],
)
def test_each_function_writes_the_metrics_that_are_its_own(function: str, constants: list[str]) -> None:
    code = (PROJECT / "functions" / function / "composition.py").read_text()
    assert re.findall(r"BatchLog\(\s*(\w+)", code) == constants
