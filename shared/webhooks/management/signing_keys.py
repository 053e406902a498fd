"""The deployment's ed25519 keys: made when the first webhook asks for them, shown to everybody, and rotated."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from webhooks.access.idempotency_keys import IdempotencyRecord, Once
from webhooks.errors import Conflict
from webhooks.management.changes import remembered
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

    def idempotency_record(self, caller: str, key: str, now_ms: int) -> IdempotencyRecord | None:
        """What the caller's idempotency key was used for."""
        ...

    def store(
        self, keys: SealedKeys, audit: AuditEntry | None = None, remember: IdempotencyRecord | None = None
    ) -> bool:
        """Put these in the place of the version before them, and what is kept of it. False when another is there, or
        the idempotency key has been used."""
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

    def rotate(self, caller: Caller, overlap_hours: int, once: Once | None = None) -> Sequence[KeyPair]:
        """A new key; the present one signs beside it until the overlap ends, and so do older ones until theirs.

        Without overlap all older ones end at once. A repeat with the same key within a day changes nothing, and answers
        with those that sign now. Raises Conflict for a third older key, for a rotation at the same time, and for an
        idempotency key that was used for something else.
        """
        now_ms = self.now_ms()
        if self._is_repeat(caller, once, now_ms):
            return self._anew()
        stored = self.records.load()
        older = [] if stored is None else self._older(stored, overlap_hours * HOUR_MS, now_ms)
        new = _new(now_ms)
        version = 1 if stored is None else stored.version + 1
        key_id = KeyPair.of(new).key_id
        deed = entry(caller, "signing_key.rotated", caller.owner, key_id, now_ms)
        remember = remembered(caller, once, key_id, now_ms)
        if not self.records.store(self._sealed([new, *older], version), deed, remember) and not self._is_repeat(
            caller, once, now_ms
        ):
            raise Conflict("the keys were rotated at the same time: repeat the request if another key is wanted")
        return self._anew()

    def _is_repeat(self, caller: Caller, once: Once | None, now_ms: int) -> bool:
        earlier = None if once is None else self.records.idempotency_record(caller.owner, once.key, now_ms)
        if once is None or earlier is None:
            return False
        once.check(earlier.fingerprint)
        return True

    def _anew(self) -> Sequence[KeyPair]:
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
