"""How long messages have been in their queues, which SQS reports only to CloudWatch."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from webhooks.errors import Unavailable

KEPT_MS = 60_000  # CloudWatch has a new figure each minute, and bills each that is read
SINCE_MS = 15 * 60_000  # SQS's figures come some minutes late


class OldestMessages:
    """The age of each queue's oldest message, in seconds (SQS Developer Guide, "Available CloudWatch metrics for Amazon
    SQS"); a queue that nobody has used for six hours has none.

    `queues` has their URLs by name. `make_client` makes boto3's client for CloudWatch when it is first needed.
    """

    def __init__(self, make_client: Callable[[], Any], queues: Mapping[str, str], now_ms: Callable[[], int]) -> None:
        self._make_client = make_client
        self._client: Any = None
        self._queues = queues
        self._now_ms = now_ms
        self._known: Mapping[str, float] = {}
        self._known_until_ms = 0

    def __call__(self) -> Mapping[str, float]:
        """Seconds by the queues' names, asked for at most once a minute. Raises Unavailable."""
        now = self._now_ms()
        if now >= self._known_until_ms:
            self._known = self._ask(now)
            self._known_until_ms = now + KEPT_MS
        return self._known

    def _ask(self, now_ms: int) -> Mapping[str, float]:
        if self._client is None:
            self._client = self._make_client()
        names = list(self._queues)
        try:
            answer = self._client.get_metric_data(
                MetricDataQueries=[_query(f"q{n}", self._queues[name]) for n, name in enumerate(names)],
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


def _query(query_id: str, queue_url: str) -> dict[str, object]:
    metric = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": queue_url.rpartition("/")[2]}],
    }
    return {"Id": query_id, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}
