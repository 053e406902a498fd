"""Figures that AWS reports to CloudWatch alone: how old the queues' messages are, and what API Gateway answered."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from webhooks.errors import Unavailable

KEPT_MS = 60_000  # CloudWatch has a new figure each minute, and bills each that is read
SINCE_MS = 15 * 60_000  # AWS's figures come some minutes late

Figure = Mapping[str, object]


def oldest_message(queue_url: str) -> Figure:
    """The age of a queue's oldest message, in seconds (SQS Developer Guide, "Available CloudWatch metrics for Amazon
    SQS"); a queue that nobody has used for six hours has none."""
    queue = {"QueueName": queue_url.rpartition("/")[2]}
    return _minute("AWS/SQS", "ApproximateAgeOfOldestMessage", queue, "Maximum")


def answered(metric: str, statistic: str, api_name: str, stage: str) -> Figure:
    """What the stage of an API answered in a minute (API Gateway Developer Guide, "Amazon API Gateway dimensions and
    metrics"); latencies in milliseconds. None in a minute without a request."""
    return _minute("AWS/ApiGateway", metric, {"ApiName": api_name, "Stage": stage}, statistic)


class Figures:
    """The last value of each figure, by the names of `figures`; those that CloudWatch does not know are absent.

    `make_client` makes boto3's client for CloudWatch when it is first needed.
    """

    def __init__(
        self, make_client: Callable[[], Any], figures: Mapping[str, Figure], now_ms: Callable[[], int]
    ) -> None:
        self._make_client = make_client
        self._client: Any = None
        self._figures = figures
        self._now_ms = now_ms
        self._known: Mapping[str, float] = {}
        self._known_until_ms = 0

    def __call__(self) -> Mapping[str, float]:
        """Asked for at most once a minute. Raises Unavailable."""
        now = self._now_ms()
        if now >= self._known_until_ms:
            self._known = self._ask(now)
            self._known_until_ms = now + KEPT_MS
        return self._known

    def _ask(self, now_ms: int) -> Mapping[str, float]:
        if self._client is None:
            self._client = self._make_client()
        names = list(self._figures)
        if not names:
            return {}
        try:
            answer = self._client.get_metric_data(
                MetricDataQueries=[{"Id": f"q{n}", "MetricStat": self._figures[name]} for n, name in enumerate(names)],
                StartTime=datetime.fromtimestamp((now_ms - SINCE_MS) / 1000, UTC),
                EndTime=datetime.fromtimestamp(now_ms / 1000 + 1, UTC),
            )
        except ClientError as exc:
            raise Unavailable(f"CloudWatch: {exc.response.get('Error', {}).get('Code', '')}") from exc
        except BotoCoreError as exc:
            raise Unavailable(f"CloudWatch: {type(exc).__name__}") from exc
        found: dict[str, float] = {}
        for result in answer["MetricDataResults"]:
            by_time = dict(zip(result["Timestamps"], result["Values"], strict=True))
            if by_time:
                found[names[int(result["Id"][1:])]] = by_time[max(by_time)]
        return found


def _minute(namespace: str, metric: str, dimensions: Mapping[str, str], statistic: str) -> Figure:
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {
        "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": named},
        "Period": 60,
        "Stat": statistic,
    }
