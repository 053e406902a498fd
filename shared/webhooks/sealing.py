"""Ports to what encrypts secrets at rest."""

from typing import Protocol


class SecretOpener(Protocol):
    """Decrypts what the table keeps sealed."""

    def open(self, sealed: bytes, *, context: str) -> str:
        """Decrypt. Raises Unavailable, or Undecryptable for bytes that are damaged or of another context."""
        ...


class SecretBox(SecretOpener, Protocol):
    """Seals texts for storage and opens them again."""

    def seal(self, plaintext: str, *, context: str) -> bytes:
        """Encrypt, bound to `context`. Sealing the same text twice gives different bytes."""
        ...

    def key_for(self, purpose: str) -> bytes:
        """A key that only this deployment knows, the same each time. Raises Unavailable."""
        ...
