from collections.abc import Mapping
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Figure
from webhooks.errors import InvalidHeaders
from webhooks.request.headers import MASK, check_custom_headers, delivery_headers, masked, unmask

PREFIX = "X-PyAirtable"

REFUSED_NAMES = """
Connection Keep-Alive Proxy-Connection Proxy-Authorization Proxy-Authenticate Proxy-Status TE Trailer Transfer-Encoding
Upgrade Expect Host Content-Type Content-Length Content-Encoding Content-MD5 Content-Disposition Cookie Cookie2
Set-Cookie Forwarded X-Forwarded X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Forwarded-Port X-Real-IP Via
Webhook-ID Webhook-Timestamp Webhook-Signature Webhook-Anything User-Agent Accept-Encoding Date Range If-Range
If-None-Match HTTP2-Settings Alt-Svc Alt-Used Max-Forwards Early-Data X-Amz-Date X-Amzn-Trace-Id X-Amz-Security-Token
X-aws-ec2-metadata-token Metadata Metadata-Flavor X-Google-Metadata-Request X-HTTP-Method-Override X-Original-URL
X-Rewrite-URL X-Client-IP True-Client-IP CF-Connecting-IP Sec-WebSocket-Key X-PyAirtable-Signature
X-PyAirtable-Signature-Next X-PyAirtable-Event-ID X-PyAirtable-Hop X-PyAirtable
Remote-User Remote-Groups X-Remote-User X-Remote-Extra-Scopes X-WEBAUTH-USER X-Auth-Request-User X-Auth-Request-Email
X-MS-Client-Principal X-MS-Client-Principal-Name X-MS-Token-AAD-Id-Token X-Goog-IAP-JWT-Assertion
X-Goog-Authenticated-User-Email X-AppEngine-QueueName X-CloudTasks-TaskName Cf-Access-Jwt-Assertion
Tailscale-User-Login X-Authentik-Username X-Pomerium-Claim-Email X-Middleware-Subrequest X-Middleware-Subrequest-Id
X-Envoy-Internal X-Envoy-Original-Path X-Accel-Redirect X-Accel-Buffering X-Original-Method X-Original-Forwarded-For
X-SSL-Client-Verify SSL-Client-Cert X-Client-Cert X-ARR-ClientCert Fastly-Client-IP Fly-Client-IP X-Azure-ClientIP
"""
VARIANTS = [str, str.lower, str.upper, str.swapcase, lambda name: name.replace("-", "_"), lambda n: n.replace("-", ".")]


def check(headers: Mapping[str, str]) -> dict[str, str]:
    return check_custom_headers(headers, prefix=PREFIX)


def refusals(headers: Mapping[str, str]) -> list[str]:
    with pytest.raises(InvalidHeaders) as refusal:
        check(headers)
    return [error.field for error in refusal.value.field_errors]


def deliver(custom: Mapping[str, str]) -> dict[str, str]:
    return delivery_headers(
        custom,
        {"X-PyAirtable-Signature": "sha256=0", "webhook-id": "evt_1"},
        prefix=PREFIX,
        user_agent="PyAirtable-Webhooks/1.0",
        event_id="evt_1",
        event_type="record.created",
        webhook_id="wh_1",
        delivery_id="dlv_1",
        attempt=3,
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer token", "X-Custom-Header": "value"},
        {"X-Api-Key": "k", "Accept": "*/*", "X-Contents": "", "Hostname": "a b\tc", "X-PyAirtableish": "1"},
        {"x" * 96: "v" * 4_000},
        {f"X-{number}": "v" for number in range(20)},
    ],
)
def test_ordinary_headers_are_taken_as_they_are(headers: dict[str, str]) -> None:
    assert check(headers) == headers


@pytest.mark.parametrize(("name", "variant"), list(product(REFUSED_NAMES.split(), range(len(VARIANTS)))))
def test_a_header_of_ours_or_of_the_connection_is_refused_however_it_is_written(name: str, variant: int) -> None:
    written = VARIANTS[variant](name)
    assert refusals({written: "value"}) == [f"headers.{written}"]


def test_there_are_more_than_90_refused_names(figure: Figure) -> None:
    names = REFUSED_NAMES.split()
    assert len({name.lower() for name in names}) == len(names) >= 90
    figure(f"headers: {len(names)} names in {len(VARIANTS)} variants each: 0 accepted")


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a:", "a\r\nb", "é", "a\x00", "(a)", "a,b", 'a"b', "a\n", "\uff28ost"]
)
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    assert refusals({name: "value"}) == [f"headers.{name}"]


@pytest.mark.parametrize("value", [" a", "a ", "\ta", "a\r\nX-Evil: 1", "a\nb", "a\n", "é", "\x7f", "\x00", "\ud800"])
def test_a_value_that_a_header_cannot_carry_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(InvalidHeaders) as refusal:
        check({"X-A": value})
    assert value.strip() == "a" or value not in str(refusal.value)


def test_the_same_name_in_another_case_is_refused() -> None:
    assert refusals({"X-A": "1", "x-a": "2"}) == ["headers.x-a"]


def test_every_wrong_header_is_named() -> None:
    assert refusals({"Host": "a", "X-Good": "b", "cookie": "c"}) == ["headers.Host", "headers.cookie"]


def test_there_are_at_most_20_headers_of_4_kb_in_all() -> None:
    assert refusals({f"X-{number}": "v" for number in range(21)}) == ["headers"]
    assert refusals({"x" * 96: "v" * 4_001}) == ["headers"]


@given(st.dictionaries(st.text(), st.text(), max_size=5))
def test_any_headers_are_either_taken_unchanged_or_refused(headers: dict[str, str]) -> None:
    try:
        assert check(headers) == headers
    except InvalidHeaders as refusal:
        assert refusal.field_errors


def test_a_delivery_carries_the_headers_of_the_clients_document() -> None:
    assert deliver({"Authorization": "Bearer token"}) == {
        "Authorization": "Bearer token",
        "Content-Type": "application/json",
        "User-Agent": "PyAirtable-Webhooks/1.0",
        "X-PyAirtable-Event-ID": "evt_1",
        "X-PyAirtable-Event-Type": "record.created",
        "X-PyAirtable-Webhook-ID": "wh_1",
        "X-PyAirtable-Delivery-ID": "dlv_1",
        "X-PyAirtable-Attempt": "3",
        "X-PyAirtable-Hop": "1",
        "X-PyAirtable-Signature": "sha256=0",
        "webhook-id": "evt_1",
    }


def test_ours_win_over_stored_ones_whatever_the_case() -> None:
    sent = deliver({"x-pyairtable-signature": "forged", "WEBHOOK-ID": "forged", "content-type": "text/plain"})
    assert sent == deliver({})


def test_values_are_masked() -> None:
    assert masked({"Authorization": "Bearer token"}) == {"Authorization": MASK}


def test_a_mask_sent_back_keeps_the_stored_value() -> None:
    stored = {"Authorization": "Bearer token", "X-Gone": "1"}
    assert unmask({"authorization": MASK, "X-New": "2"}, stored) == {"authorization": "Bearer token", "X-New": "2"}


def test_a_mask_that_hides_nothing_is_refused() -> None:
    with pytest.raises(InvalidHeaders) as refusal:
        unmask({"X-New": MASK}, {"Authorization": "Bearer token"})
    assert [error.field for error in refusal.value.field_errors] == ["headers.X-New"]
