"""The table as template.yaml defines it, made on any client."""

from typing import TYPE_CHECKING

from tests.infrastructure.template_document import read_template

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DEFINITION = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


def create_table(client: "DynamoDBClient", name: str = "webhooks") -> None:
    """With its keys and its indexes; without its stream, expiry, protection and ceilings."""
    table = {part: value for part, value in read_template().properties("Table").items() if part in DEFINITION}
    table["GlobalSecondaryIndexes"] = [
        {part: value for part, value in index.items() if not part.endswith("Throughput")}
        for index in table["GlobalSecondaryIndexes"]
    ]
    client.create_table(TableName=name, **table)
