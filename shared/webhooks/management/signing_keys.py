"""The deployment's ed25519 keys: made when the first webhook asks for them, shown to everybody, and rotated."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from webhooks.errors import Conflict
from webhooks.models.audit import AuditEntry, entry
from webhooks.models.caller import Caller
from webhooks.models.signing_key import SealedKeys, SigningKey
from webhooks.models.webhook import Webhook
from webhooks.request.ed25519 import SEED_BYTES, KeyPair
from webhooks.request.signing_keys import SigningKeys, StoredKeys, keys_text, opened_keys
from webhooks.sealing import SecretBox
from webhooks.times import rfc3339

HOUR_MS = 3_600_000
MAX_OLDER = 2  # keys that sign beside the newest: each costs every delivery that asks for it a signature


class SigningKeyRecords(StoredKeys, Protocol):
    """Where they are kept. Raises Unavailable."""

    def store(self, keys: SealedKeys, audit: AuditEntry | None = None) -> bool:
        """Put these in the place of the version before them, and what is kept of it. False when another is there."""
        ...


@dataclass(frozen=True, slots=True)
class SigningKeyManagement:
    """The use cases. Each raises Unavailable."""

    records: SigningKeyRecords
    box: SecretBox
    known: SigningKeys
    now_ms: Callable[[], int]

    def published(self) -> Sequence[KeyPair]:
        """Those that sign now, the newest first. Anybody may ask: it costs a read a minute at most."""
        return self._known(needed=False)

    def of(self, webhooks: Iterable[Webhook]) -> Sequence[KeyPair]:
        """Those that sign for the webhooks that ask; nothing is read where none does."""
        return self._known() if any(each.ed25519 for each in webhooks) else ()

    def ensure(self) -> None:
        """Make the first key unless there is one."""
        if not self._known():
            now_ms = self.now_ms()
            self.records.store(self._sealed([_new(now_ms)], 1))  # False: somebody else has just made it
            self.known.forget()

    def rotate(self, caller: Caller, overlap_hours: int) -> Sequence[KeyPair]:
        """A new key; the present one signs beside it until the overlap ends, and so do older ones until theirs.

        Without overlap all older ones end at once. Raises Conflict for a third older key, and for a rotation at the
        same time.
        """
        now_ms = self.now_ms()
        stored = self.records.load()
        older = [] if stored is None else self._older(stored, overlap_hours * HOUR_MS, now_ms)
        new = _new(now_ms)
        version = 1 if stored is None else stored.version + 1
        deed = entry(caller, "signing_key.rotated", caller.owner, KeyPair.of(new).key_id, now_ms)
        if not self.records.store(self._sealed([new, *older], version), deed):
            raise Conflict("the keys were rotated at the same time: repeat the request if another key is wanted")
        self.known.forget()
        return self._known()

    def _known(self, *, needed: bool = True) -> Sequence[KeyPair]:
        now_ms = self.now_ms()
        self.known.refresh(now_ms, needed=needed)
        return self.known.signing(now_ms)

    def _older(self, stored: SealedKeys, overlap_ms: int, now_ms: int) -> list[SigningKey]:
        if overlap_ms == 0:
            return []
        opened = opened_keys(self.box.open(stored.sealed, context=stored.context))
        present, *older = [each for each in opened if each.signs(now_ms)]
        if len(older) == MAX_OLDER:
            first_ms = min(each.until_ms or now_ms for each in older)
            raise Conflict(
                f"{len(older) + 1} keys sign already, one of them until {rfc3339(first_ms)}: wait until then, or end "
                "all older ones at once with overlap_hours 0"
            )
        return [replace(present, until_ms=now_ms + overlap_ms), *older]

    def _sealed(self, keys: Sequence[SigningKey], version: int) -> SealedKeys:
        renewed = SealedKeys(b"", version)
        return replace(renewed, sealed=self.box.seal(keys_text(keys), context=renewed.context))


def _new(now_ms: int) -> SigningKey:
    return SigningKey(secrets.token_bytes(SEED_BYTES), now_ms)
