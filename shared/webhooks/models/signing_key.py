"""Key pairs of the deployment, with which deliveries are signed for webhooks that ask for it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An ed25519 key pair by its seed, 32 random bytes. `until_ms` is when it ends; the newest has no end."""

    seed: bytes = field(repr=False)
    created_at_ms: int
    until_ms: int | None = None

    def signs(self, now_ms: int) -> bool:
        """Whether it has not ended."""
        return self.until_ms is None or now_ms < self.until_ms


@dataclass(frozen=True, slots=True)
class SealedKeys:
    """All of them as they are stored, encrypted. `version` is bound into it."""

    sealed: bytes
    version: int

    @property
    def context(self) -> str:
        """What the ciphertext is bound to."""
        return f"signing-keys|{self.version}"
