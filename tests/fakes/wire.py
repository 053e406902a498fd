"""The fakes of DynamoDB and SQS as they look over the wire: JSON in, JSON out."""

import base64
import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.fakes.faults import FaultyClient

OPERATIONS = {
    "BatchGetItem": "batch_get_item",
    "BatchExecuteStatement": "batch_execute_statement",
    "PutItem": "put_item",
    "Query": "query",
    "TransactWriteItems": "transact_write_items",
    "UpdateItem": "update_item",
    "SendMessageBatch": "send_message_batch",
    "ChangeMessageVisibilityBatch": "change_message_visibility_batch",
}
ANSWERS = ("ConditionalCheckFailedException", "TransactionCanceledException")


def wire(client: Any) -> Callable[[str, bytes], bytes | None]:
    """What a direct client posts to: the client's answer as JSON, or None for an error but a condition's."""

    def post(operation: str, body: bytes) -> bytes | None:
        request = json.loads(body, object_hook=_bytes_of)
        try:
            answer = getattr(client, OPERATIONS[operation])(**request)
        except ClientError as exc:
            code = exc.response["Error"]["Code"]  # type: ignore[typeddict-item]
            reasons = exc.response.get("CancellationReasons", [])  # type: ignore[typeddict-item]
            if code in ANSWERS:
                return json.dumps({"__type": code, "CancellationReasons": reasons}).encode()
            return handed_on()
        except BotoCoreError:
            return handed_on()
        return json.dumps(answer, default=lambda value: base64.b64encode(value).decode()).encode()

    def handed_on() -> None:
        if isinstance(client, FaultyClient):
            client.hand_on()

    return post


def _bytes_of(value: dict[str, Any]) -> dict[str, Any]:
    return {"B": base64.b64decode(value["B"])} if value.keys() == {"B"} else value
