"""The wrapped data key under which all secrets are sealed: one item."""

from webhooks.store import schema
from webhooks.store.attributes import binary, read_bytes, text
from webhooks.store.dynamo import DynamoTable

_KEY = (schema.DATA_KEY_PK, schema.DATA_KEY_SK)


class DataKeyStore:
    """Loads the key, and stores the first one that is made."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def load(self) -> bytes | None:
        """The wrapped key; None in a deployment that has never sealed anything. Raises Unavailable."""
        item = self._table.get_many([_KEY]).get(_KEY)
        return None if item is None else read_bytes(item, "wrapped")

    def store_if_absent(self, wrapped: bytes) -> bytes:
        """Store it unless one is stored already; returns the stored one. Raises Unavailable."""
        item = {schema.PK: text(_KEY[0]), schema.SK: text(_KEY[1]), "wrapped": binary(wrapped)}
        if self._table.put(item, condition="attribute_not_exists(pk)"):
            return wrapped
        return self.load() or wrapped
