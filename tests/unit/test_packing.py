from hypothesis import given
from hypothesis import strategies as st

from webhooks.packing import pack, unpack


@given(st.binary(max_size=5_000))
def test_what_was_packed_comes_back_byte_for_byte(raw: bytes) -> None:
    assert unpack(pack(raw)) == raw


def test_packing_saves_where_it_can_and_costs_one_byte_where_it_cannot() -> None:
    assert len(pack(b'{"a":1}' * 200)) < 100
    assert len(pack(bytes(range(199)))) == 200
