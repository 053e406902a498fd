"""Lets pynamodb's models speak to the fake."""

import re
from typing import Any, cast

from webhooks.store.models import Models, bind

_IGNORED = ("ReturnConsumedCapacity", "ReturnItemCollectionMetrics", "ReturnValues")


class _Signer:
    _credentials = True  # pynamodb makes a client of its own for one without


class PynamoClient:
    """What pynamodb needs of a botocore client, before a boto3 client or a fake of one."""

    _request_signer = _Signer()

    def __init__(self, client: Any) -> None:
        self._client = client

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, Any]) -> Any:
        method = re.sub(r"(?<!^)(?=[A-Z])", "_", operation_name).lower()
        request = {name: value for name, value in operation_kwargs.items() if name not in _IGNORED}
        return getattr(self._client, method)(**request)


def models(client: Any, table_name: str) -> Models:
    """The models, bound to a table of this client."""
    bound = bind(table_name)
    bound.webhook.connection()._client = cast("Any", PynamoClient(client))
    return bound
