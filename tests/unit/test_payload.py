import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.errors import Invalid, TooLarge
from webhooks.payload import (
    MAX_DEPTH,
    MAX_EVENT_BYTES,
    Number,
    UnfitNumber,
    dumps,
    floats,
    loads,
    parse_json,
    serialise,
)

_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_values = st.recursive(_scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def parse(text: str | bytes, *, max_bytes: int = MAX_EVENT_BYTES, max_depth: int = MAX_DEPTH) -> object:
    return parse_json(text, max_bytes=max_bytes, max_depth=max_depth)


def sqs_takes(text: str) -> bool:
    return all(
        c in "\t\n\r" or "\x20" <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or "\U00010000" <= c <= "\U0010ffff"
        for c in text
    )


@given(st.dictionaries(st.text(), _values))
def test_what_is_serialised_reads_back_the_same_and_holds_only_characters_that_sqs_takes(
    payload: dict[str, Any],
) -> None:
    body = serialise(payload)
    assert parse(body) == payload
    assert sqs_takes(body.decode())


@pytest.mark.parametrize(
    "character", ["\ufffe", "\uffff", "\x00", "\x1f", "\x7f", "\ud7ff", "\U0001f600", "\U0001ffff"]
)
def test_the_odd_characters_survive(character: str) -> None:
    body = serialise({"a" + character: [character]})
    assert sqs_takes(body.decode())
    assert json.loads(body) == {"a" + character: [character]}


def test_the_body_is_compact_and_keeps_the_order_and_the_letters() -> None:
    assert serialise({"b": 1, "a": ["é", None, True]}) == '{"b":1,"a":["é",null,true]}'.encode()


WRITTEN = [
    "1.10",
    "1e5",
    "1E5",
    "1.0e+5",
    "-0",
    "-0.0",
    "0e0",
    "0.00E-400",
    "12345678901234567890.12345",
    "5e-324",
    "4.9e-324",
    "1e308",
    "100000000000000000000000",
    "0.1",
    "3.14159265358979323846",
    "9007199254740993",
    "9007199254740993.0",
    "1e-07",
    "1E+2",
    "1" + "0" * 308,
    "-" + "9" * 308,
]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_number_goes_out_as_it_was_written(text: str) -> None:
    body = f'{{"a":[{text},"{text}",{{"b":{text}}}]}}'
    read = parse(body)
    assert serialise(read).decode() == dumps(read) == body  # type: ignore[arg-type]
    assert serialise(loads(body.encode())).decode() == body


@pytest.mark.parametrize("text", ["1e400", "-1e999", "1e-400", "-0.01e-330", "9" * 400, "-2" + "0" * 308, "9" * 4_301])
def test_a_number_out_of_a_floats_range_is_unfit(text: str) -> None:
    with pytest.raises(UnfitNumber, match="64-bit float"):
        parse_json(f"[{text}]", max_bytes=5_000)


@pytest.mark.parametrize("text", WRITTEN)
def test_floats_are_what_any_other_parser_makes_of_the_numbers(text: str) -> None:
    body = f'{{"a":[{text},"{text}",{{"b":{text}}}]}}'
    assert repr(floats(parse(body))) == repr(json.loads(body))


def test_floats_lose_digits_only_where_they_may() -> None:
    assert floats(parse("[1.10, 1e5, -0, 0.10, 7]"), exactly=True) == [1.1, 1e5, 0, 0.1, 7]
    many = parse('{"a": [12345678901234567890.12345]}')
    assert floats(many) == {"a": [12345678901234567890.12345]}
    with pytest.raises(UnfitNumber, match="more digits"):
        floats(many, exactly=True)


def test_numbers_are_equal_when_they_are_written_the_same() -> None:
    assert parse("[1.10, 1.1]") == parse("[1.10, 1.1]") != parse("[1.100, 1.1]")
    assert {Number("1.10")} == {Number("1.10")}


@pytest.mark.parametrize("text", ["\U00010000", '"\U00010000', "\\udfff1", '\\"\\udfff1', "\U0010ffff1.10"])
def test_no_string_is_taken_for_a_number(text: str) -> None:
    payload = {"a": [text, Number("1.10")], text: text}
    assert json.loads(serialise(payload)) == json.loads(dumps(payload)) == {"a": [text, 1.1], text: text}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"\udfff": 1}])
def test_what_json_cannot_carry_is_not_serialised(value: object) -> None:
    with pytest.raises(Invalid):
        serialise({"value": value})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{'a': 1}",
        "[1,]",
        "[1] 2",
        '"a\nb"',
        "\ufeff{}",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e400",
        "[-1e999]",
        '"\\ud800"',
        '{"\\uDFFF": 1}',
        '["\ud800"]',
        b"\xff",
        b'"\xed\xa0\x80"',
        "{}".encode("utf-16"),
    ],
)
def test_what_is_not_strict_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(Invalid):
        parse(text)


def test_an_error_says_where() -> None:
    with pytest.raises(Invalid, match="line 2, column 3"):
        parse("{\n  1: 2}")


@pytest.mark.parametrize("text", ['"\\ud83d\\ude00"', '"\\\\ud800"', '"\\ufffe"', "1E5", "-0", " [ ] "])
def test_unusual_but_valid_json_is_taken(text: str | bytes) -> None:
    assert floats(parse_json(text, max_bytes=99)) == json.loads(text)


def test_of_a_repeated_key_the_last_one_counts() -> None:
    assert parse('{"a": 1, "a": 2}') == {"a": 2}


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_may_be_32_deep_and_no_deeper(opening: str, closing: str) -> None:
    assert parse(opening * 32 + "1" + closing * 32)
    with pytest.raises(Invalid, match="32 deep"):
        parse(opening * 33 + "1" + closing * 33)


def test_an_empty_container_counts_as_a_level() -> None:
    with pytest.raises(Invalid, match="32 deep"):
        parse("[" * 33 + "]" * 33)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 50_000, "[" * 100_000 + "]" * 100_000])
def test_extreme_nesting_is_refused_and_does_not_exhaust_the_stack(text: str | bytes) -> None:
    with pytest.raises(Invalid):
        parse(text)


@pytest.mark.parametrize("text", ["[" + "1," * 10 + "1]", '"' + "é" * 10 + '"', ('"' + "é" * 10 + '"').encode()])
def test_size_is_counted_in_bytes(text: str | bytes) -> None:
    size = len(text if isinstance(text, bytes) else text.encode())
    assert parse(text, max_bytes=size)
    with pytest.raises(TooLarge):
        parse(text, max_bytes=size - 1)


@given(st.text() | st.binary())
def test_any_other_input_is_refused_and_never_crashes(raw: str | bytes) -> None:
    with contextlib.suppress(Invalid):
        parse(raw)
