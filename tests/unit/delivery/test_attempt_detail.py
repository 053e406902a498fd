from typing import Any

from webhooks.delivery.attempt_detail import FIRST_TRY_BYTES, pack_detail, unpack_detail
from webhooks.models.exchange import Exchange, Timings

HEADERS = (("Content-Type", "text/plain"), ("Set-Cookie", "a"), ("Set-Cookie", "b"))


def exchange(body: bytes = b"hello", **changes: Any) -> Exchange:
    return Exchange(1, 2, 200, HEADERS, body, timings=Timings(1, None, 3, 4), **changes)  # type: ignore[arg-type]


def test_headers_body_and_timings_come_back() -> None:
    detail = unpack_detail(pack_detail(exchange()) or b"")
    assert detail["h"] == [list(pair) for pair in HEADERS]
    assert (detail["b"], detail["n"], detail["t"]) == ("hello", 5, [1, None, 3, 4])


def test_any_bytes_of_a_body_come_back() -> None:
    raw = bytes(range(256))
    assert unpack_detail(pack_detail(exchange(raw)) or b"")["b"].encode("latin-1") == raw


def test_what_has_to_fit_is_cut_until_it_fits_and_says_how_much_there_was() -> None:
    random_like = bytes((n * 7919 + n // 13) % 251 for n in range(4_096))
    packed = pack_detail(exchange(random_like), fitting=FIRST_TRY_BYTES)
    assert packed is not None
    assert len(packed) <= FIRST_TRY_BYTES
    assert unpack_detail(packed)["n"] == 4_096


def test_what_was_wrong_with_an_answer_is_kept_even_where_the_rest_is_cut() -> None:
    packed = pack_detail(exchange(bytes(range(256)) * 16, remark="The body was cut off."), fitting=FIRST_TRY_BYTES)
    assert unpack_detail(packed or b"")["r"] == "The body was cut off."


def test_what_cannot_fit_is_left_out() -> None:
    assert pack_detail(exchange(), fitting=3) is None


def test_an_error_s_plain_sentence_is_kept() -> None:
    failed = Exchange(1, 2, error_code="dns", error_message="no such host", internal_detail="secret")
    packed = pack_detail(failed) or b""
    assert unpack_detail(packed)["m"] == "no such host"
    assert b"secret" not in packed
