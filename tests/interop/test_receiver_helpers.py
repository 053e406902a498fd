"""examples/receivers: the helpers take our deliveries at every door that they know, and nothing else."""

import asyncio
import base64
import importlib.util
import json
import os
import secrets
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from localstack.emulator import PROJECT, free_port
from tests.support.node import NODE
from webhooks.request.signing import SigningSecrets, signature_headers

EXAMPLES = PROJECT / "examples" / "receivers"
BODY = '{"id":"evt_1","name":"Zoë 名前"}'.encode()
NEW, OLD, OTHER = ("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(3))


def _helper() -> Any:
    spec = importlib.util.spec_from_file_location("webhook_receiver", EXAMPLES / "python" / "webhook_receiver.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HELPER = _helper()


def signed(
    current: str,
    previous: str | None = None,
    *,
    at: float = 0,
    prefix: str = "X-PyAirtable",
    ed25519: Sequence[Ed25519PrivateKey] = (),
) -> dict[str, str]:
    headers = signature_headers(
        SigningSecrets(current, previous),
        prefix=prefix,
        event_id="evt_1",
        timestamp=int(time.time() + at),
        body=BODY,
        ed25519=[each.sign for each in ed25519],
    )
    return headers | {f"{prefix}-Webhook-ID": "wh_1", f"{prefix}-Delivery-ID": "dlv_1", f"{prefix}-Attempt": "2"}


def plain_only(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if not name.startswith("webhook-")}


def by_ed25519(key: Ed25519PrivateKey) -> dict[str, str]:
    headers = signed(NEW)
    content = f"evt_1.{headers['webhook-timestamp']}.".encode() + BODY
    return headers | {"webhook-signature": "v1a," + base64.b64encode(key.sign(content)).decode()}


def public(key: Ed25519PrivateKey) -> str:
    return "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def with_signature(signature: str) -> dict[str, str]:
    return signed(NEW) | {"webhook-signature": signature}


KEY, OTHER_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


def cases() -> dict[str, tuple[list[str], dict[str, str], bool]]:
    """Signed now: (secrets of the receiver, headers, whether they are accepted)."""
    return {
        "both signatures": ([NEW], signed(NEW), True),
        "the plain one alone": ([NEW], plain_only(signed(NEW)), True),
        "another secret": ([OTHER], signed(NEW), False),
        "another secret, plain": ([OTHER], plain_only(signed(NEW)), False),
        "rotating, the new secret": ([NEW], signed(NEW, OLD), True),
        "rotating, the old secret": ([OLD], signed(NEW, OLD), True),
        "rotating, the new secret, plain": ([NEW], plain_only(signed(NEW, OLD)), True),
        "two secrets": ([OTHER, OLD], signed(OLD), True),
        "old": ([NEW], signed(NEW, at=-310), False),
        "of the future": ([NEW], signed(NEW, at=310), False),
        "a time that is none": ([NEW], signed(NEW) | {"webhook-timestamp": "soon"}, False),
        "nothing": ([NEW], {}, False),
        "a secret of the former service": (
            ["former-0123456789-abcdefghij"],
            signed("former-0123456789-abcdefghij"),
            True,
        ),
        "ed25519": ([public(KEY)], by_ed25519(KEY), True),
        "both, by the public key": ([public(KEY)], signed(NEW, ed25519=(KEY,)), True),
        "both, by the secret": ([NEW], signed(NEW, ed25519=(KEY,)), True),
        "ed25519, the key rotating": ([public(OTHER_KEY)], signed(NEW, OLD, ed25519=(KEY, OTHER_KEY)), True),
        "both, of another": ([public(OTHER_KEY)], signed(NEW, ed25519=(KEY,)), False),
        "ed25519 of another": ([public(OTHER_KEY)], by_ed25519(KEY), False),
        "a public key as an HMAC secret": ([public(KEY)], signed(public(KEY).removeprefix("whpk_")), False),
        "a signature that is none": ([public(KEY)], by_ed25519(KEY) | {"webhook-signature": "v1a,?"}, False),
        "a signature without a version": ([NEW], signed(NEW) | {"webhook-signature": ", v1 v1,"}, False),
        "a signature in no alphabet of ours": ([NEW], signed(NEW) | {"webhook-signature": "v1,\u00e9\u00ff"}, False),
        "a time in other digits": ([NEW], signed(NEW) | {"webhook-timestamp": "\u00b2\u00b3"}, False),
        "a time of 5,000 digits": ([NEW], signed(NEW) | {"webhook-timestamp": "9" * 5000}, False),
        "the eleventh signature": ([NEW], with_signature("v1,x " * 10 + signed(NEW)["webhook-signature"]), False),
    }


CASES = list(cases())


def accepts(receiver: Any, headers: Mapping[str, str], body: bytes = BODY) -> bool:
    try:
        delivery = receiver.verify(headers, body)
    except HELPER.Refused:
        return False
    assert (delivery.event_id, delivery.webhook_id, delivery.attempt) == (
        "evt_1" if "webhook-id" in headers else "",
        "wh_1",
        2,
    )
    return delivery.json()["id"] == "evt_1"


@pytest.mark.parametrize("case", CASES)
def test_python_accepts_what_is_ours(case: str) -> None:
    given, headers, is_ours = cases()[case]
    assert accepts(HELPER.Receiver(*given), headers) is is_ours
    assert not accepts(HELPER.Receiver(*given), headers, BODY + b" ")


def test_node_accepts_what_is_ours(tmp_path: Path) -> None:
    program = tmp_path / "cases.mjs"
    program.write_text(
        textwrap.dedent(f"""
        import {{ Receiver, Refused }} from {json.dumps((EXAMPLES / "node" / "webhook-receiver.mjs").as_uri())};
        const body = Buffer.from({json.dumps(base64.b64encode(BODY).decode())}, "base64");
        const judged = async (action) => {{
          try {{ return (await action()).json().id === "evt_1"; }}
          catch (error) {{ if (error instanceof Refused) return false; throw error; }}
        }};
        const verdicts = {{}};
        for (const [name, [secrets, headers]] of Object.entries(JSON.parse(process.argv[2]))) {{
          const receiver = new Receiver(secrets);
          const request = new Request("http://127.0.0.1/", {{ method: "POST", headers, body }});
          const event = {{ headers, body: body.toString("base64"), isBase64Encoded: true }};
          verdicts[name] = [
            await judged(() => receiver.verify(headers, body)),
            await judged(() => receiver.verify(headers, body.toString())),
            await judged(() => receiver.verifyRequest(request)),
            await judged(() => receiver.verifyLambda(event)),
            !(await judged(() => receiver.verify(headers, Buffer.concat([body, Buffer.from(" ")])))),
          ];
        }}
        console.log(JSON.stringify(verdicts));
        """)
    )
    judged = cases()
    given = json.dumps({name: case[:2] for name, case in judged.items()})
    done = subprocess.run([str(NODE), str(program), given], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {name: [ours] * 4 + [True] for name, (_, _, ours) in judged.items()}


def test_a_prefix_of_the_deployments_own_is_known() -> None:
    assert HELPER.Receiver(NEW, prefix="X-Acme").verify(plain_only(signed(NEW, prefix="X-Acme")), BODY).attempt == 2


def sent_again() -> list[tuple[str, dict[str, str], bool]]:
    """In this order, to one receiver that remembers: what it is, the headers, whether they are accepted."""
    first, retry = signed(NEW, OLD, at=-5), signed(NEW, OLD)
    one, other = first["webhook-signature"].split(" ")
    return [
        ("the first", first, True),
        ("a retry", retry, True),
        ("again, byte for byte", first, False),
        ("again, by the other scheme", plain_only(first), False),
        ("again, the signatures in another order", first | {"webhook-signature": f"{other} {one}"}, False),
        ("again, with one of the signatures", first | {"webhook-signature": other}, False),
        ("again, with something more", first | {"webhook-signature": f"{one} v1,x"}, False),
        (
            "again, as another attempt",
            first | {"X-PyAirtable-Attempt": "3", "X-PyAirtable-Delivery-ID": "dlv_9"},
            False,
        ),
    ]


def test_what_somebody_sends_again_is_refused_and_a_retry_is_not() -> None:
    kept: set[str] = set()

    def seen(key: str, seconds: int) -> bool:
        assert seconds == 600
        return key in kept or kept.add(key) is not None

    receiver = HELPER.Receiver(NEW, OLD, seen=seen)

    def is_taken(headers: dict[str, str]) -> bool:
        try:
            receiver.verify(headers, BODY)
        except HELPER.Refused:
            return False
        return True

    assert [(name, is_taken(headers)) for name, headers, _ in sent_again()] == [
        (name, is_first) for name, _, is_first in sent_again()
    ]


def test_in_node_too(tmp_path: Path) -> None:
    program = tmp_path / "again.mjs"
    program.write_text(
        textwrap.dedent(f"""
        import {{ Receiver, Refused }} from {json.dumps((EXAMPLES / "node" / "webhook-receiver.mjs").as_uri())};
        const [secrets, body, requests] = JSON.parse(process.argv[2]);
        const kept = new Set();
        const receiver = new Receiver(secrets, {{ seen: async (key) => kept.has(key) || !kept.add(key) }});
        const taken = [];
        for (const headers of requests) {{
          taken.push(await receiver.verify(headers, Buffer.from(body, "base64")).then(() => true, (error) => {{
            if (error instanceof Refused) return false;
            throw error;
          }}));
        }}
        const huge = new Receiver(secrets).verify(requests[1], Buffer.alloc(1_048_577));
        taken.push(await huge.catch((error) => error.message));
        taken.push((await new Receiver(secrets).verify(
          {{ ...requests[1], "X-PyAirtable-Attempt": "soon" }}, Buffer.from(body, "base64"))).attempt);
        console.log(JSON.stringify(taken));
        """)
    )
    requests = sent_again()
    given = json.dumps([[NEW, OLD], base64.b64encode(BODY).decode(), [headers for _, headers, _ in requests]])
    done = subprocess.run([str(NODE), str(program), given], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [*(is_first for *_, is_first in requests), "the body is too large", 1]


def test_an_attempt_that_is_no_number_is_the_first() -> None:
    assert HELPER.Receiver(NEW).verify(signed(NEW) | {"X-PyAirtable-Attempt": "9" * 5000}, BODY).attempt == 1


def test_a_secret_that_is_none_is_told_when_the_receiver_is_made() -> None:
    for wrong in ("whsec_***", "whpk_", "", "whsec_a"):
        with pytest.raises(ValueError, match="secret"):
            HELPER.Receiver(wrong)


def test_many_signatures_cost_what_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger may send as many as fit into a header, and a body of a megabyte: it is hashed once for each secret."""
    hashed: list[int] = []
    new = HELPER.hmac.new
    monkeypatch.setattr(HELPER.hmac, "new", lambda *given: hashed.append(1) or new(*given))
    with pytest.raises(HELPER.Refused):
        HELPER.Receiver(NEW, OLD).verify(with_signature("v1,x " * 10_000), b"x" * 1_000_000)
    assert len(hashed) == 2


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def wsgi_url() -> Iterator[str]:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            HELPER.Receiver(NEW).verify_wsgi(environ)
        except HELPER.Refused as refused:
            start_response("401 Unauthorized", [])
            return [str(refused).encode()]
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    server = make_server("127.0.0.1", 0, application, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_wsgi_application_can_still_read_the_body(wsgi_url: str) -> None:
    assert httpx.post(wsgi_url, content=BODY, headers=signed(NEW)).content == BODY
    assert httpx.post(wsgi_url, content=BODY, headers=signed(OTHER)).status_code == 401


@pytest.mark.parametrize("length", ["-1", "many", "1048577", "9" * 5000])
def test_a_wsgi_body_of_no_good_length_is_not_read(length: str) -> None:
    with pytest.raises(HELPER.Refused):
        HELPER.Receiver(NEW).verify_wsgi({"CONTENT_LENGTH": length})


ASGI = """
import importlib.util, os, sys

spec = importlib.util.spec_from_file_location("webhook_receiver", os.environ["HELPER"])
webhook_receiver = sys.modules["webhook_receiver"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(webhook_receiver)
receiver = webhook_receiver.Receiver(os.environ["SECRET"])

async def app(scope, receive, send):
    try:
        status, said = 200, (await receiver.verify_asgi(scope, receive)).body
    except webhook_receiver.Refused as refused:
        status, said = 401, str(refused).encode()
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": said})
"""


def test_a_real_asgi_server_passes_deliveries_on(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(ASGI)
    port = free_port()
    serving = subprocess.Popen(
        [sys.executable, "-m", "hypercorn", "--bind", f"127.0.0.1:{port}", "asgi:served:app"],
        cwd=tmp_path,
        env=os.environ | {"HELPER": str(EXAMPLES / "python" / "webhook_receiver.py"), "SECRET": NEW},
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}/"
        with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
            taken = client.post(url, content=BODY, headers=signed(NEW), timeout=30)
            assert (taken.status_code, taken.content) == (200, BODY)
            in_pieces = client.post(url, content=iter([BODY[:3], BODY[3:]]), headers=signed(NEW))
            assert (in_pieces.status_code, in_pieces.content) == (200, BODY)
            assert client.post(url, content=BODY, headers=signed(OTHER)).status_code == 401
            huge = client.post(url, content=b"x" * 2_000_000, headers=signed(NEW))
            assert (huge.status_code, huge.text) == (401, "the body is too large")
    finally:
        serving.terminate()
        serving.wait(20)


def test_an_asgi_request_may_come_in_pieces() -> None:
    scope = {"headers": [(name.lower().encode(), value.encode()) for name, value in signed(NEW).items()]}
    pieces = [
        {"type": "http.request", "body": BODY[i : i + 5], "more_body": i + 5 < len(BODY)}
        for i in range(0, len(BODY), 5)
    ]

    async def verified(messages: list[dict[str, Any]]) -> Any:
        left = iter(messages)

        async def receive() -> dict[str, Any]:
            return next(left)

        return await HELPER.Receiver(NEW).verify_asgi(scope, receive)

    assert asyncio.run(verified(pieces)).body == BODY
    with pytest.raises(HELPER.Refused):
        asyncio.run(verified([*pieces[:2], {"type": "http.disconnect"}]))


@pytest.mark.parametrize("kind", ["text", "base64", "load balancer"])
def test_a_lambda_event_is_verified(kind: str) -> None:
    headers: dict[str, Any] = {"headers": signed(NEW)}
    if kind == "load balancer":
        headers = {"multiValueHeaders": {name: [value] for name, value in signed(NEW).items()}}
    body: dict[str, Any] = {"body": BODY.decode()}
    if kind == "base64":
        body = {"body": base64.b64encode(BODY).decode(), "isBase64Encoded": True}
    assert HELPER.Receiver(NEW).verify_lambda({**headers, **body}).body == BODY


@pytest.mark.parametrize(
    "event", [{}, {"headers": {}, "body": None}, {"body": "?", "isBase64Encoded": True}, {"body": "\ud800"}]
)
def test_a_lambda_event_that_is_no_delivery_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(HELPER.Refused):
        HELPER.Receiver(NEW).verify_lambda({"headers": signed(NEW)} | event)
