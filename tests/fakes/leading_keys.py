"""DynamoDB as a role sees it whose policy names the partition keys that it may touch, by their beginnings.

Amazon DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access control": dynamodb:LeadingKeys are
the partition keys of the items that a request names, and for a query of an index the index's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from tests.fakes import partiql

# By function and index; "" is the table itself. tests/infrastructure holds this against template.yaml.
ALLOWED: Mapping[str, Mapping[str, Sequence[str]]] = {
    "ingest": {"": ("count#*", "event|*", "pull|*", "repeat|*", "route|*", "scope|*")},
    "release": {"": ("count#*", "tenant|*", "wh_*"), "waiting": ("due|*", "room|*")},
    "rollup": {"": ("count#*", "counted#*", "own|*", "stat|*", "wh_*")},
}


class NotAllowed(BaseException):
    """No Exception, so that nobody takes it for a call that may succeed later."""


class HeldClient:
    """A client that takes no other keys; * stands for anything, as in IAM's StringLike."""

    def __init__(self, client: Any, allowed: Mapping[str, Sequence[str]]) -> None:
        self._client = client
        self._allowed = allowed

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        call = getattr(self._client, operation)

        def held(**request: Any) -> Any:
            allowed = self._allowed.get(request.get("IndexName", ""), ())
            for key in leading_keys(operation, request):
                if not any(fnmatchcase(key, pattern) for pattern in allowed):
                    raise NotAllowed(f"{operation} of {key}")
            return call(**request)

        return held


def leading_keys(operation: str, request: Mapping[str, Any]) -> Iterator[str]:
    """The partition keys that a request names."""
    match operation:
        case "batch_get_item":
            for each in request["RequestItems"].values():
                yield from (key["pk"]["S"] for key in each["Keys"])
        case "batch_execute_statement":
            for each in request["Statements"]:
                yield partiql.parse(each["Statement"]).key(tuple(each["Parameters"]))[0]
        case "transact_write_items":
            for each in request["TransactItems"]:
                ((kind, item),) = each.items()
                yield item["Item" if kind == "Put" else "Key"]["pk"]["S"]
        case "query":
            name = request["KeyConditionExpression"].split("=")[1].split()[0]
            yield request["ExpressionAttributeValues"][name]["S"]
        case "put_item":
            yield request["Item"]["pk"]["S"]
        case _:
            yield request["Key"]["pk"]["S"]
