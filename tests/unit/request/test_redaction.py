import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.receiver import Receiver, answer
from tests.unit.egress.transport.test_client import PUBLIC, FakeResolver, policy
from webhooks.egress.transport import HttpTransport
from webhooks.models.exchange import HttpRequest
from webhooks.request.headers import MASK
from webhooks.request.redaction import credentials_in, redacted

TOKEN = "abcdef-0123456789"


def test_a_value_is_masked_and_so_are_its_words() -> None:
    credentials = credentials_in([f"Bearer {TOKEN}"])
    assert (
        redacted(f"you sent Bearer {TOKEN}; token={TOKEN}".encode(), credentials)
        == b"you sent ********; token=********"
    )


AWKWARD = 'pass"word\\with/odd+characters&<~> and more'
FORMS: dict[str, Callable[[str], str]] = {
    "JSON": json.dumps,
    "JSON of JSON": lambda text: json.dumps(json.dumps(text)),
    "PHP's JSON": lambda text: json.dumps(text).replace("/", "\\/"),
    "a path": quote,
    "a component": lambda text: quote(text, safe=""),
    "a form": quote_plus,
    "a component in lower case": lambda text: re.sub("%..", lambda each: each[0].lower(), quote(text, safe="")),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "HTML": html.escape,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [AWKWARD, 'Bearer ab/+=cd"efgh', "token-with-nothing-odd", "~" * 9])
@pytest.mark.parametrize("around", ["", "a", "ab", "abc"])
def test_a_credential_is_known_in_the_forms_that_servers_write_it_in(form: str, value: str, around: str) -> None:
    """Whatever stands around it inside of the same encoding. What is left of it would be a few characters."""
    written = FORMS[form](f"{around}{value}{around}")
    left = redacted(written.encode(), credentials_in([value])).decode()
    assert MASK in left
    plain = FORMS[form](value).strip('"=')
    parts = {plain[start : start + 6] for start in range(2, len(plain) - 8)} if "base64" in form else {plain}
    assert not [part for part in parts if part in left], (written, left)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12), st.binary(), st.binary())
def test_any_credential_is_found_in_base64_of_anything_around_it(value: str, before: bytes, after: bytes) -> None:
    said = base64.b64encode(before + value.encode() + after)
    assert MASK.encode() in redacted(said, credentials_in([value]))


def test_short_values_and_other_texts_stay() -> None:
    assert credentials_in(["1", "Bearer", ""]) == ()
    assert redacted(b"Bearer of news", credentials_in([f"Bearer {TOKEN}"])) == b"Bearer of news"


@pytest.mark.parametrize("length", range(8, len(TOKEN)))
def test_a_credential_that_is_cut_off_is_masked_too(length: int) -> None:
    said = b"you sent " + TOKEN[:length].encode()
    assert redacted(said, credentials_in([TOKEN]), is_cut=True) == b"you sent ********"
    assert redacted(said, credentials_in([TOKEN])) == said


def test_a_text_that_is_cut_off_elsewhere_stays() -> None:
    said = b"you sent " + TOKEN[:7].encode()
    assert redacted(said, credentials_in([TOKEN]), is_cut=True) == said


async def test_what_a_receiver_says_back_is_masked_in_the_exchange() -> None:
    with Receiver(host=PUBLIC) as receiver:
        receiver.script("/", answer(200, b"x" * 4_086 + TOKEN.encode(), [("X-Echo", f"Bearer {TOKEN}")]))
        transport = HttpTransport(policy(), resolver=FakeResolver([PUBLIC]))
        sent = HttpRequest(receiver.url("/"), {"X-Key": TOKEN}, b"{}", 5, credentials_in([TOKEN]))
        exchange = await transport.send(sent)
        await transport.aclose()
        assert receiver.requests("/")[0].header("X-Key") == TOKEN
    assert exchange.response_body == b"x" * 4_086 + b"********"
    assert {name.lower(): value for name, value in exchange.response_headers}["x-echo"] == "Bearer ********"
