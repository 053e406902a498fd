"""The fakes refuse what a role refuses, however a request names its keys."""

from typing import Any

import pytest

from tests.fakes.leading_keys import HeldClient, NotAllowed

KEY = {"pk": {"S": "key_1"}, "sk": {"S": "key"}}
STATEMENT = {"Statement": """DELETE FROM "t" WHERE pk = ? AND sk = ?""", "Parameters": list(KEY.values())}
REQUESTS: dict[str, dict[str, Any]] = {
    "batch_get_item": {"RequestItems": {"t": {"Keys": [KEY]}}},
    "batch_execute_statement": {"Statements": [STATEMENT]},
    "transact_write_items": {"TransactItems": [{"Put": {"Item": KEY}}]},
    "put_item": {"Item": KEY},
    "update_item": {"Key": KEY},
    "query": {
        "KeyConditionExpression": "pk = :pk AND sk > :sk",
        "ExpressionAttributeValues": {":pk": {"S": "key_1"}, ":sk": {"S": "a"}},
    },
}


class Table:
    """Takes everything."""

    def __getattr__(self, operation: str) -> Any:
        return lambda **_request: operation


@pytest.mark.parametrize("operation", REQUESTS)
def test_a_key_that_the_policy_does_not_name_is_refused(operation: str) -> None:
    def call(pattern: str, **more: Any) -> object:
        return getattr(HeldClient(Table(), {"": [pattern]}), operation)(**REQUESTS[operation], **more)

    assert call("key_*") == operation
    for refused in ({"pattern": "wh_*"}, {"pattern": "key_*", "IndexName": "listing"}):
        with pytest.raises(NotAllowed, match="key_1"):
            call(**refused)
