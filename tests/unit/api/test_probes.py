"""What /ready and /metrics ask of DynamoDB and SQS."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

import tests.support.api_client  # noqa: F401 - makes functions/api importable
from webhooks.errors import Unavailable
from webhooks.statistics.prometheus import QueueDepth


def test_a_queue_s_depth_is_what_sqs_counts() -> None:
    from probes import queue_depth

    asked: list[dict[str, Any]] = []

    class Sqs:
        def get_queue_attributes(self, **request: Any) -> dict[str, Any]:
            asked.append(request)
            return {"Attributes": {name: amount for name, amount in depth.items() if name in request["AttributeNames"]}}

    depth = {
        "ApproximateNumberOfMessages": "3",
        "ApproximateNumberOfMessagesNotVisible": "2",
        "ApproximateNumberOfMessagesDelayed": "1",
    }

    assert queue_depth(Sqs(), "url")() == QueueDepth(visible=3, in_flight=2, delayed=1)
    assert asked[0]["QueueUrl"] == "url"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (ClientError({"Error": {"Code": "AccessDenied"}}, "GetItem"), "AccessDenied"),
        (EndpointConnectionError(endpoint_url="https://aws"), "EndpointConnectionError"),
    ],
)
def test_what_does_not_answer_is_unavailable_by_name(fault: Exception, words: str) -> None:
    from probes import queue_check, queue_depth, table_check

    class Aws:
        def fail(self, **_: Any) -> None:
            raise fault

        get_item = get_queue_attributes = fail

    for ask in (table_check(Aws(), "webhooks"), queue_check(Aws(), "url"), queue_depth(Aws(), "url")):
        with pytest.raises(Unavailable, match=words):
            ask()
