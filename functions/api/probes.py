"""One cheap call to each part that the service stands on."""

from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from webhooks.errors import Unavailable
from webhooks.store import schema


def table_check(client: Any, table_name: str) -> Callable[[], None]:  # noqa: ANN401
    """Reads an item that need not exist. `client` is boto3's for DynamoDB."""
    key = {schema.PK: {"S": "ready"}, schema.SK: {"S": "ready"}}
    return partial(_call, client.get_item, TableName=table_name, Key=key)


def queue_check(client: Any, url: str) -> Callable[[], None]:  # noqa: ANN401
    """Asks for an attribute. `client` is boto3's for SQS."""
    return partial(_call, client.get_queue_attributes, QueueUrl=url, AttributeNames=["QueueArn"])


def _call(call: Callable[..., object], **request: object) -> None:
    try:
        call(**request)
    except ClientError as exc:
        raise Unavailable(exc.response.get("Error", {}).get("Code", "refused")) from exc
    except BotoCoreError as exc:
        raise Unavailable(type(exc).__name__) from exc
