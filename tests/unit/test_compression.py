"""Packed bytes come back as they were, and what was packed before can still be read."""

import hashlib
import json
import zlib

from hypothesis import given
from hypothesis import strategies as st

from webhooks import compression
from webhooks.compression import pack, pack_body, unpack


@given(st.binary(max_size=5000))
def test_what_was_packed_comes_back_byte_for_byte(raw: bytes) -> None:
    assert unpack(pack(raw)) == raw
    assert unpack(pack_body(raw)) == raw


@given(st.binary(max_size=5000))
def test_nothing_grows_by_more_than_its_marker(raw: bytes) -> None:
    assert len(pack(raw)) <= len(raw) + 1
    assert len(pack_body(raw)) <= len(raw) + 1


def test_packing_saves_where_it_can_and_costs_one_byte_where_it_cannot() -> None:
    assert len(pack(b'{"a":1}' * 200)) < 100
    assert len(pack(bytes(range(199)))) == 200


def test_bodies_that_were_stored_before_there_was_a_dictionary_are_read() -> None:
    body = json.dumps({"type": "record.created", "data": {"fields": {"name": "Ann " * 80}}}).encode()
    assert unpack(b"\x01" + zlib.compress(body)) == body
    assert unpack(b"\x00" + body) == body


def test_the_dictionary_never_changes_because_what_is_stored_needs_it() -> None:
    assert (
        hashlib.sha256(compression._DICTIONARY).hexdigest()
        == "7792f67866a12364776a5029426d5baa08d5ca05a275bffa955ea0d1bcd0c412"
    )
