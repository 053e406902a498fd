"""Cursors: opaque, and of no use elsewhere."""

import random
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.conftest import Figure
from webhooks.aws.kms import KmsSecretBox
from webhooks.errors import InvalidCursor
from webhooks.management.cursors import Cursors


class Kms:
    """Wraps a key by doing nothing to it."""

    def generate_data_key(self, **_: Any) -> dict[str, bytes]:
        key = AESGCM.generate_key(256)
        return {"Plaintext": key, "CiphertextBlob": key}

    def decrypt(self, *, CiphertextBlob: bytes, **_: Any) -> dict[str, bytes]:
        return {"Plaintext": CiphertextBlob}


@pytest.fixture
def cursors() -> Cursors:
    return Cursors(KmsSecretBox(Kms(), lambda: None, lambda wrapped: wrapped, "key"))


def test_a_cursor_leads_back_to_its_position(cursors: Cursors) -> None:
    cursor = cursors.seal("wh_1", caller="123", listing="webhooks")
    assert cursors.open(cursor, caller="123", listing="webhooks") == "wh_1"
    assert cursor.isascii()
    assert "wh_1" not in cursor


def test_no_cursor_is_the_beginning(cursors: Cursors) -> None:
    assert cursors.open(None, caller="123", listing="webhooks") is None


@pytest.mark.parametrize(
    ("caller", "listing"), [("124", "webhooks"), ("123", "dead-letters"), ("123|web", "hooks"), ("", "")]
)
def test_a_cursor_is_bound_to_caller_and_list(cursors: Cursors, caller: str, listing: str) -> None:
    cursor = cursors.seal("wh_1", caller="123", listing="webhooks")
    with pytest.raises(InvalidCursor):
        cursors.open(cursor, caller=caller, listing=listing)


def test_caller_and_list_cannot_be_shifted_into_each_other(cursors: Cursors) -> None:
    cursor = cursors.seal("x", caller="a|b", listing="c")
    with pytest.raises(InvalidCursor):
        cursors.open(cursor, caller="a", listing="b|c")


def test_a_thousand_tampered_cursors_are_refused(cursors: Cursors, figure: Figure) -> None:
    chance = random.Random(4)
    cursor = cursors.seal("wh_" + "0" * 26, caller="123", listing="webhooks")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ é"
    for _ in range(1000):
        at = chance.randrange(len(cursor))
        kind = chance.randrange(3)
        if kind == 0:
            tampered = cursor[:at] + chance.choice(alphabet.replace(cursor[at], "")) + cursor[at + 1 :]
        elif kind == 1:
            tampered = cursor[:at]
        else:
            tampered = cursor[:at] + chance.choice(alphabet) + cursor[at:]
        with pytest.raises(InvalidCursor):
            cursors.open(tampered, caller="123", listing="webhooks")
    figure("cursors: 1,000 tampered ones: 0 accepted")


@pytest.mark.parametrize("cursor", ["", "a", "====", "!!!!", "x" * 5000, "é", "AQ"])
def test_what_is_no_cursor_is_refused(cursors: Cursors, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        cursors.open(cursor, caller="123", listing="webhooks")
