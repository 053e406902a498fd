"""The table as template.yaml defines it, made on any client."""

from typing import TYPE_CHECKING

from tests.infrastructure.template_document import read_template

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DEFINITION = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


def create_table(client: "DynamoDBClient", name: str = "webhooks") -> None:
    """With its keys and its indexes; without its stream, expiry and protection."""
    table = read_template().properties("Table")
    client.create_table(TableName=name, **{part: table[part] for part in DEFINITION})
