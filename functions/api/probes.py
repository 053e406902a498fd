"""Cheap calls to the parts that the service stands on."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from webhooks.errors import Unavailable
from webhooks.statistics.gauges import QueueDepth
from webhooks.store import schema


def table_check(client: Any, table_name: str) -> Callable[[], None]:  # noqa: ANN401
    """Reads an item that need not exist. `client` is boto3's for DynamoDB."""
    key = {schema.PK: {"S": "ready"}, schema.SK: {"S": "ready"}}
    return lambda: _call(client.get_item, TableName=table_name, Key=key)


def queue_check(client: Any, url: str) -> Callable[[], None]:  # noqa: ANN401
    """Asks for an attribute. `client` is boto3's for SQS."""
    return lambda: _call(client.get_queue_attributes, QueueUrl=url, AttributeNames=["QueueArn"])


def queue_depth(client: Any, url: str) -> Callable[[], QueueDepth]:  # noqa: ANN401
    """Asks how many messages a queue holds. `client` is boto3's for SQS."""
    names = {
        "visible": "ApproximateNumberOfMessages",
        "in_flight": "ApproximateNumberOfMessagesNotVisible",
        "delayed": "ApproximateNumberOfMessagesDelayed",
    }

    def ask() -> QueueDepth:
        answer = _call(client.get_queue_attributes, QueueUrl=url, AttributeNames=list(names.values()))
        return QueueDepth(**{name: int(answer["Attributes"][attribute]) for name, attribute in names.items()})

    return ask


def _call(call: Callable[..., Any], **request: object) -> Any:  # noqa: ANN401
    try:
        return call(**request)
    except ClientError as exc:
        raise Unavailable(exc.response.get("Error", {}).get("Code", "refused")) from exc
    except BotoCoreError as exc:
        raise Unavailable(type(exc).__name__) from exc
