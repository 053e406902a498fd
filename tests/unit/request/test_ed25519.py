import base64
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.management_fakes import PlainBox
from webhooks.errors import Unavailable
from webhooks.models.signing_key import SealedKeys, SigningKey
from webhooks.request.ed25519 import KeyPair
from webhooks.request.signing import SigningSecrets, new_secret, signature_headers
from webhooks.request.signing_keys import KEPT_MS, SigningKeys, keys_text, opened_keys

# RFC 8037, appendix A: the private and public key of A.1 and A.2, their thumbprint of A.3
SEED = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
X, THUMBPRINT = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
# RFC 8032, 7.1, TEST 3
SEED_3 = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
SIGNATURE_3 = (
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)
OLD, NEW = new_secret(bytes(range(32))), new_secret(bytes(range(32, 64)))


def test_public_keys_are_named_as_the_standards_say() -> None:
    pair = KeyPair.of(SigningKey(SEED, 0))
    assert (pair.x, pair.key_id) == (X, THUMBPRINT)
    assert pair.standard == "whpk_" + base64.b64encode(base64.urlsafe_b64decode(X + "=")).decode()


def test_the_published_signature_comes_out() -> None:
    assert KeyPair.of(SigningKey(SEED_3, 0)).sign(bytes.fromhex("af82")).hex() == SIGNATURE_3


def test_a_private_key_shows_in_no_representation() -> None:
    pair = KeyPair.of(SigningKey(b"\x07" * 32, 5))
    assert repr(b"\x07" * 32) not in repr(pair)
    assert "seed" not in repr(pair.key)


@pytest.mark.parametrize("secrets", [SigningSecrets(NEW), SigningSecrets(NEW, OLD)])
def test_v1a_stands_behind_v1_and_changes_nothing_else(secrets: SigningSecrets) -> None:
    pairs = [KeyPair.of(SigningKey(seed, 0)) for seed in (SEED, SEED_3)]

    def headers(*chosen: KeyPair) -> dict[str, str]:
        signs = [each.sign for each in chosen]
        return signature_headers(secrets, prefix="X-P", event_id="evt_1", timestamp=7, body=b"{}", ed25519=signs)

    without, both = headers(), headers(*pairs)
    expected = [f"v1a,{base64.b64encode(each.sign(b'evt_1.7.{}')).decode()}" for each in pairs]
    assert both.pop("webhook-signature") == " ".join([without.pop("webhook-signature"), *expected])
    assert both == without


def test_keys_are_sealed_and_opened_as_they_were() -> None:
    keys = [SigningKey(SEED, 2), SigningKey(SEED_3, 1, 9)]
    assert opened_keys(keys_text(keys)) == keys
    later = keys_text(keys).replace('"until_ms"', '"more": 1, "until_ms"')  # of a newer version
    assert opened_keys(later) == keys


class Stored:
    """Keys at rest, and how often they were read."""

    def __init__(self, *keys: SigningKey) -> None:
        self.reads = 0
        self.fails = False
        self.keep(*keys)

    def keep(self, *keys: SigningKey) -> None:
        sealed = SealedKeys(b"", 1)
        made = SealedKeys(PlainBox().seal(keys_text(keys), context=sealed.context), 1)
        self.kept = made if keys else None

    def load(self) -> SealedKeys | None:
        self.reads += 1
        if self.fails:
            raise Unavailable("DynamoDB: no")
        return self.kept


def test_keys_are_read_once_a_minute_and_an_end_counts_at_once() -> None:
    stored = Stored(SigningKey(SEED, 2), SigningKey(SEED_3, 1, 9))
    keys = SigningKeys(stored, PlainBox())
    assert keys.signing(0) == []
    for now_ms in (5, 6, 5 + KEPT_MS - 1):
        keys.refresh(now_ms)
    assert [len(keys.signing(now_ms)) for now_ms in (8, 9)] == [2, 1]
    assert stored.reads == 1
    keys.refresh(5 + KEPT_MS)
    assert stored.reads == 2


def test_what_is_known_is_used_while_it_cannot_be_read_anew() -> None:
    stored = Stored(SigningKey(SEED, 2))
    keys = SigningKeys(stored, PlainBox())
    keys.refresh(0)
    stored.fails = True
    with pytest.raises(Unavailable):
        keys.refresh(KEPT_MS)
    assert len(keys.signing(KEPT_MS)) == 1


def test_whoever_needs_a_key_does_not_believe_that_there_is_none() -> None:
    stored = Stored()
    keys = SigningKeys(stored, PlainBox())
    for _ in range(3):
        keys.refresh(0, needed=False)
    assert stored.reads == 1
    stored.keep(SigningKey(SEED, 2))
    keys.refresh(0, needed=False)
    assert keys.signing(0) == []
    keys.refresh(0)
    assert len(keys.signing(0)) == 1


def test_a_sender_loads_ed25519_only_for_webhooks_that_ask() -> None:
    project = Path(__file__).parents[3]
    program = "import composition; sys.exit('cryptography.hazmat.primitives.asymmetric.ed25519' in sys.modules)"
    paths = [str(project / "functions" / "sender"), str(project / "shared")]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths}; {program}"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
