"""What has been taken of each host's requests in each window of time, by all and by each owner."""

from collections.abc import Sequence
from zlib import crc32

from webhooks.delivery.host_limit import WINDOW_MS
from webhooks.store import schema
from webhooks.store.attributes import number
from webhooks.store.dynamo import DynamoTable, Item

# Owners are counted by a hash: the item stays at a write unit or a few, and names nobody. Two that share one now do not
# in the next window.
_OWNERS = 256


class HostCountStore:
    """An item a host and window, which TTL removes."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def take(self, host: str, owner: str, window: int, amount: int, most: Sequence[tuple[int, int]]) -> bool:
        """Take `amount`, where with it one of the pairs in `most` holds: (taken by the owner, taken by all), each at
        most. Raises Unavailable.

        When an answer is lost and the SDK repeats the call, it counts twice, against the owner.
        """
        values: dict[str, Item] = {":n": number(amount), ":e": number((window + 2) * WINDOW_MS // 1000)}
        tests: list[str] = []
        for place, (own, everybody) in enumerate(most):
            if own < amount or everybody < amount:
                continue
            values[f":o{place}"], values[f":a{place}"] = number(own - amount), number(everybody - amount)
            tests.append(
                f"((attribute_not_exists(#o) OR #o <= :o{place}) AND (attribute_not_exists(#a) OR #a <= :a{place}))"
            )
        return bool(tests) and self._table.update(
            (schema.host_pk(host), schema.requests_sk(window)),
            f"ADD #a :n, #o :n SET {schema.EXPIRES_AT} = :e",
            names={"#a": schema.TAKEN, "#o": f"o{crc32(f'{owner}|{window}'.encode()) % _OWNERS}"},
            values=values,
            condition=" OR ".join(tests),
        )
