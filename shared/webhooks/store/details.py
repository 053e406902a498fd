"""What is kept of attempts beyond their lines in the delivery."""

from collections.abc import Sequence

from webhooks.store import schema
from webhooks.store.attributes import read_bytes
from webhooks.store.dynamo import DynamoTable


def attempt_details(table: DynamoTable, attempts: Sequence[tuple[str, str, int]]) -> dict[str, bytes]:
    """Packed details of attempts (webhook id, delivery id, start), keyed by delivery id; absent where none is kept.

    Consistent. Raises Unavailable.
    """
    keys = {d: (schema.history_pk(w, d), schema.attempt_sk(d, start)) for w, d, start in attempts}
    found = table.get_many(list(keys.values()))
    return {d: read_bytes(found[key], "detail") or b"" for d, key in keys.items() if key in found}
