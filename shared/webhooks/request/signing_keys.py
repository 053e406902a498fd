"""The deployment's ed25519 keys as whoever signs or shows them knows them: read once a minute, and only if needed."""

import base64
import json
from collections.abc import Sequence
from typing import Any, Protocol

from webhooks.models.signing_key import SealedKeys, SigningKey
from webhooks.request.ed25519 import KeyPair
from webhooks.sealing import SecretOpener

KEPT_MS = 60_000  # a rotation is known to every process after this long


class StoredKeys(Protocol):
    """Where they are kept."""

    def load(self) -> SealedKeys | None:
        """All of them; None before the first was made. Consistent. Raises Unavailable."""
        ...


class SigningKeys:
    """What a process knows of the keys. Until `refresh` has read them that is nothing."""

    def __init__(self, stored: StoredKeys, secrets: SecretOpener) -> None:
        self._stored = stored
        self._secrets = secrets
        self._read_at_ms: int | None = None
        self._pairs: tuple[KeyPair, ...] = ()

    def are_known(self, now_ms: int, *, needed: bool = True) -> bool:
        """Whether `refresh` would read nothing."""
        is_recent = self._read_at_ms is not None and 0 <= now_ms - self._read_at_ms < KEPT_MS
        return is_recent and (bool(self._pairs) or not needed)

    def refresh(self, now_ms: int, *, needed: bool = True) -> None:
        """Read them if that was long ago, and where one is `needed`, also if none was there. What is known stays when
        this raises Unavailable or Undecryptable."""
        if self.are_known(now_ms, needed=needed):
            return
        stored = self._stored.load()
        if stored is None:
            self._pairs = ()
        else:
            opened = self._secrets.open(stored.sealed, context=stored.context)
            self._pairs = tuple(map(KeyPair.of, opened_keys(opened)))
        self._read_at_ms = now_ms

    def signing(self, now_ms: int) -> Sequence[KeyPair]:
        """Those that sign now, the newest first."""
        return [pair for pair in self._pairs if pair.key.signs(now_ms)]

    def forget(self) -> None:
        """Read them again when they are needed next."""
        self._read_at_ms = None


def keys_text(keys: Sequence[SigningKey]) -> str:
    """The plaintext that is sealed: keys, the newest first."""
    written = [
        {"seed": base64.b64encode(each.seed).decode(), "created_at_ms": each.created_at_ms, "until_ms": each.until_ms}
        for each in keys
    ]
    return json.dumps({"keys": written})


def opened_keys(text: str) -> list[SigningKey]:
    """The other way round."""
    written: list[dict[str, Any]] = json.loads(text)["keys"]
    return [SigningKey(base64.b64decode(each["seed"]), each["created_at_ms"], each["until_ms"]) for each in written]
