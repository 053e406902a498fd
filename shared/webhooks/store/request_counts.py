"""What each tenant has taken of each window of time."""

from webhooks.store import schema
from webhooks.store.dynamo import DynamoTable


class RequestCountStore:
    """An item a tenant and window, which TTL removes."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def take(self, owner: str, window: int, amount: int, expires_at_ms: int) -> int:
        """Take `amount` from the window; returns how much of it is taken in all. Raises Unavailable.

        When an answer is lost and the SDK repeats the call, it counts twice, against the tenant.
        """
        key = schema.requests_pk(owner), schema.requests_sk(window)
        return self._table.add(key, schema.TAKEN, amount, expires_at=expires_at_ms // 1000)
