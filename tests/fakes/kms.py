"""KMS at boto3's client interface: a key that wraps by reversing."""

from collections.abc import Mapping
from typing import Any


class FakeKMS:
    """Deterministic: this is no cryptography."""

    def generate_data_key(self, *, KeyId: str, KeySpec: str, EncryptionContext: Mapping[str, str]) -> dict[str, Any]:
        """A data key and the same wrapped."""
        plain = (f"{KeyId}|{KeySpec}|{sorted(EncryptionContext.items())}" + "k" * 32).encode()[:32]
        return {"Plaintext": plain, "CiphertextBlob": plain[::-1], "KeyId": KeyId}

    def decrypt(self, *, CiphertextBlob: bytes, KeyId: str, EncryptionContext: Mapping[str, str]) -> dict[str, Any]:
        """The data key."""
        return {"Plaintext": CiphertextBlob[::-1], "KeyId": KeyId}
