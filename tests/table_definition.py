"""The table as template.yaml defines it, made on any client."""

from functools import cache
from typing import Any

from localstack.cloudformation import load
from tests.infrastructure.template_document import PROJECT, Template


def create_table(client: Any, name: str = "webhooks") -> None:  # noqa: ANN401 - boto3's own class
    """With its keys and its indexes; without its stream, expiry and protection."""
    client.create_table(TableName=name, **_definition())


@cache
def _definition() -> dict[str, Any]:
    table = Template(load(PROJECT / "template.yaml")).properties("Table")
    return {
        part: table[part] for part in ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    }
