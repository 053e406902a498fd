import pytest

from tests.support.receiver import Receiver, answer
from tests.unit.egress.transport.test_client import PUBLIC, FakeResolver, policy
from webhooks.egress.transport import HttpTransport
from webhooks.models.exchange import HttpRequest
from webhooks.request.redaction import credentials_in, redacted

TOKEN = "abcdef-0123456789"


def test_a_value_is_masked_and_so_are_its_words() -> None:
    credentials = credentials_in([f"Bearer {TOKEN}"])
    assert (
        redacted(f"you sent Bearer {TOKEN}; token={TOKEN}".encode(), credentials)
        == b"you sent ********; token=********"
    )


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
