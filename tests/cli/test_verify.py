"""`pyhooks verify`: what fits, and what is told where nothing does."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pyhooks.main import cli
from webhooks.request.signing import SigningSecrets, signature_headers

SECRET = "whsec_" + base64.b64encode(b"one secret of a webhook").decode()
OTHER = "whsec_" + base64.b64encode(b"the one after that").decode()
BODY = '{"id": "evt_1", "name": "Jörg"}'.encode()


def request(body: bytes = BODY, secrets: SigningSecrets | None = None, age: int = 0) -> tuple[dict[str, str], bytes]:
    signed = signature_headers(
        secrets or SigningSecrets(SECRET),
        prefix="X-PyAirtable",
        event_id="evt_1",
        timestamp=int(time.time()) - age,
        body=BODY,
    )
    return signed, body


def text(headers: dict[str, str], body: bytes, newline: bytes = b"\n") -> bytes:
    lines = ["POST /hook HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return newline.join(line.encode() for line in lines) + body


def verify(given: bytes, secret: str = SECRET, *more: str) -> Result:
    return CliRunner().invoke(cli, ["verify", *more], input=given, env={"PYHOOKS_SECRET": secret})


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_delivery_fits(newline: bytes) -> None:
    done = verify(text(*request(), newline))
    assert (done.exit_code, done.stdout) == (0, "webhook-signature fits.\n"), done.output


def test_so_does_an_event_as_it_is_pulled_and_the_other_signature_alone(tmp_path: Path) -> None:
    headers, body = request()
    (tmp_path / "event.json").write_text(json.dumps({"headers": headers, "body": body.decode()}))
    assert verify(b"", SECRET, str(tmp_path / "event.json")).exit_code == 0
    plain = {name: value for name, value in headers.items() if name.startswith("X-PyAirtable")}
    assert verify(text(plain, body)).stdout == "X-PyAirtable-Signature fits.\n"


def test_while_a_secret_is_rotated_both_fit_and_secrets_of_the_former_service_do() -> None:
    rotated = text(*request(secrets=SigningSecrets(SECRET, OTHER)))
    assert [verify(rotated, secret).exit_code for secret in (SECRET, OTHER)] == [0, 0]
    assert verify(text(*request(secrets=SigningSecrets("formerly"))), "formerly").exit_code == 0


def test_a_public_key_fits() -> None:
    key, (headers, body) = Ed25519PrivateKey.generate(), request()
    signed = f"evt_1.{headers['webhook-timestamp']}.".encode() + body
    headers["webhook-signature"] += " v1a," + base64.b64encode(key.sign(signed)).decode()
    public = "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()
    assert verify(text(headers, body), public).stdout == "webhook-signature (ed25519) fits.\n"
    assert verify(text(headers, body + b"x"), public).exit_code == 7


@pytest.mark.parametrize(
    ("given", "secret", "code", "words"),
    [
        (lambda: text(*request()), OTHER, 7, "another webhook's secret"),
        (lambda: text(*request(age=400)), SECRET, 7, "s ago"),
        (lambda: text(*request(age=-400)), SECRET, 7, "ahead of this clock"),
        (lambda: text(*request(BODY + b"\n")), SECRET, 7, "line break at its end"),
        (lambda: text(*request(b'{"id":"evt_1","name":"J"}')), SECRET, 7, "No signature fits"),
        (lambda: text({"Host": "x"}, BODY), SECRET, 7, "no timestamp"),
        (lambda: text({"webhook-timestamp": "1"}, BODY), SECRET, 7, "There is no signature"),
        (lambda: BODY, SECRET, 5, "This is no request"),
        (lambda: text(*request()), "whsec_cut of", 5, "cut off"),
        (lambda: text(*request()), "whpk_AAAA", 7, "No signature fits"),
    ],
)
def test_what_does_not_fit_is_told_with_what_is_likely_wrong(
    given: Callable[[], bytes], secret: str, code: int, words: str
) -> None:
    done = verify(given(), secret)
    assert (done.exit_code, words in done.stderr) == (code, True), done.output


def test_a_request_that_was_kept_is_verified_without_its_age() -> None:
    assert verify(text(*request(age=100_000)), SECRET, "--any-age").exit_code == 0
