"""make put-back: messages of the delivery queue that no version could read are shown, or sent there once more.

They are in the table's partition `unreadable` as they were. One that still cannot be read comes back there, as
another item.
"""

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from localstack.emulator import PROJECT, LocalStackError
from scripts.deployed import Deployed, NotThere
from webhooks.compression import unpack
from webhooks.messages import META_ATTRIBUTE
from webhooks.store import schema

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

SHOWN = 80
CUT = "(cut: "  # in the reason of one that was too large to be kept whole


def kept(dynamodb: "DynamoDBClient", table: str) -> Iterator[dict[str, Any]]:
    """The items, oldest first."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="pk = :unreadable",
        ExpressionAttributeValues={":unreadable": {"S": schema.UNREADABLE_PK}},
    )
    for page in pages:
        yield from page["Items"]


def put_back(item: dict[str, Any], sqs: "SQSClient", queue_url: str, dynamodb: "DynamoDBClient", table: str) -> bool:
    """Send, then delete: a crash in between sends it again, which is harmless. False for one that was cut."""
    if CUT in item["reason"]["S"]:
        return False
    attributes: dict[str, Any] = {}
    if "meta" in item:
        attributes = {META_ATTRIBUTE: {"DataType": "String", "StringValue": item["meta"]["S"]}}
    sqs.send_message(QueueUrl=queue_url, MessageBody=unpack(item["body"]["B"]).decode(), MessageAttributes=attributes)
    dynamodb.delete_item(TableName=table, Key={name: item[name] for name in (schema.PK, schema.SK)})
    return True


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="make put-back", description=__doc__)
    parser.add_argument("--stage", default="local")
    parser.add_argument("--send", action="store_true", help="send them; without, they are shown")
    given = parser.parse_args()
    try:
        deployed = Deployed.of_stage(PROJECT, given.stage)
        dynamodb, sqs, table = deployed.client("dynamodb"), deployed.client("sqs"), deployed.outputs["TableName"]
        count = sent = 0
        for item in kept(dynamodb, table):
            count += 1
            if given.send:
                sent += put_back(item, sqs, deployed.outputs["DeliveryQueueUrl"], dynamodb, table)
            else:
                body = unpack(item["body"]["B"]).decode(errors="replace")
                print(f"{item['sk']['S']}  {item['reason']['S']}  {body[:SHOWN]}")
    except (NotThere, LocalStackError, ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    if given.send:
        print(f"{sent} of {count} were put back" + ("; the others were cut and stay" if sent < count else ""))
    else:
        print(f"{count} messages; PUT_BACK=1 sends them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
