"""examples/receivers: the helpers take our deliveries at every door that they know, and nothing else."""

import asyncio
import base64
import importlib.util
import json
import secrets
import subprocess
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

from localstack.emulator import PROJECT
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


def test_what_is_sent_again_byte_for_byte_is_refused_and_a_retry_is_not() -> None:
    kept: dict[str, int] = {}

    def seen(key: str, seconds: int) -> bool:
        assert seconds == 600
        return kept.setdefault(key, len(kept)) != len(kept) - 1

    receiver = HELPER.Receiver(NEW, seen=seen)
    first = signed(NEW, at=-5)
    assert [accepts(receiver, first), accepts(receiver, signed(NEW))] == [True, True]
    assert not accepts(receiver, first)


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
