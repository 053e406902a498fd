"""How old the queues' messages are, as CloudWatch tells it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from webhooks.aws.cloudwatch import Figures, answered, oldest_message
from webhooks.errors import Unavailable

URLS = {
    "ingest": "https://sqs.eu-west-1.amazonaws.com/1/stack-ingest",
    "jobs": "https://sqs.amazonaws.com/1/stack-jobs",
}
FIGURES = {name: oldest_message(url) for name, url in URLS.items()}
NOW = 1_700_000_000_000


class CloudWatch:
    """Answers with ages by the queues' own names, latest first or as it comes."""

    def __init__(self, **ages: Sequence[float]) -> None:
        self.ages = ages
        self.asked = 0
        self.down = False

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        self.asked += 1
        if self.down:
            raise EndpointConnectionError(endpoint_url="https://monitoring.eu-west-1.amazonaws.com")
        assert request["StartTime"] < datetime.fromtimestamp(NOW / 1000, UTC) < request["EndTime"]
        return {
            "MetricDataResults": [self._result(query, request["EndTime"]) for query in request["MetricDataQueries"]]
        }

    def _result(self, query: dict[str, Any], end: datetime) -> dict[str, Any]:
        metric = query["MetricStat"]["Metric"]
        assert (metric["Namespace"], metric["MetricName"]) == ("AWS/SQS", "ApproximateAgeOfOldestMessage")
        values = self.ages.get(metric["Dimensions"][0]["Value"].removeprefix("stack-"), [])
        times = [end - timedelta(minutes=n + 1) for n in range(len(values))]
        return {"Id": query["Id"], "Timestamps": times, "Values": list(values)}


def ages(cloudwatch: CloudWatch, now: Sequence[int] = (NOW,)) -> list[Mapping[str, float]]:
    clock = iter(now)
    ask = Figures(lambda: cloudwatch, FIGURES, lambda: next(clock))
    return [ask() for _ in now]


def test_the_latest_age_counts() -> None:
    assert ages(CloudWatch(ingest=[4, 90, 0], jobs=[0])) == [{"ingest": 4, "jobs": 0}]


def test_a_queue_that_nobody_used_for_hours_has_none() -> None:
    assert ages(CloudWatch(ingest=[7])) == [{"ingest": 7}]


def test_what_costs_money_is_asked_for_once_a_minute() -> None:
    cloudwatch = CloudWatch(jobs=[3])
    assert ages(cloudwatch, [NOW, NOW + 59_999, NOW + 60_000]) == [{"jobs": 3}] * 3
    assert cloudwatch.asked == 2


def test_cloudwatch_that_is_down_is_said_and_asked_again() -> None:
    cloudwatch = CloudWatch(jobs=[3])
    cloudwatch.down = True
    ask = Figures(lambda: cloudwatch, FIGURES, lambda: NOW)
    with pytest.raises(Unavailable, match="EndpointConnectionError"):
        ask()
    cloudwatch.down = False
    assert ask() == {"jobs": 3}


def test_what_the_api_answered_is_a_figure_of_its_stage() -> None:
    figure = answered("5XXError", "Sum", "stack", "prod")
    assert figure["Metric"] == {
        "Namespace": "AWS/ApiGateway",
        "MetricName": "5XXError",
        "Dimensions": [{"Name": "ApiName", "Value": "stack"}, {"Name": "Stage", "Value": "prod"}],
    }
    assert (figure["Period"], figure["Stat"]) == (60, "Sum")
