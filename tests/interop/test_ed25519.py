"""What we sign with ed25519 is verified by libsodium (PyNaCl) and by Node's crypto, and nothing else is."""

import base64
import json
import random
import subprocess
import time
from pathlib import Path

import standardwebhooks
import svix
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from tests.conftest import Figure
from tests.support.node import NODE
from webhooks.models.signing_key import SigningKey
from webhooks.request.ed25519 import KeyPair
from webhooks.request.signing import SigningSecrets, new_secret, signature_headers

AMOUNT = 10_000
PROGRAM = """
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
const [key, ...cases] = JSON.parse(readFileSync(0, "utf8"));
const publicKey = createPublicKey({ key, format: "jwk" });
const holds = ([signed, given]) => verify(null, Buffer.from(signed, "base64"), publicKey, Buffer.from(given, "base64"));
console.log(JSON.stringify(cases.map(holds)));
"""


def test_ten_thousand_bodies_are_verified_by_two_libraries_that_are_not_ours(tmp_path: Path, figure: Figure) -> None:
    rng = random.Random(1)
    pair = KeyPair.of(SigningKey(rng.randbytes(32), 0))
    secrets = SigningSecrets(new_secret(rng.randbytes(32)))
    cases: list[tuple[bytes, bytes]] = []
    for n in range(AMOUNT):
        body = rng.randbytes(rng.randrange(2_000))
        headers = signature_headers(
            secrets, prefix="X-P", event_id=f"evt_{n}", timestamp=n, body=body, ed25519=[pair.sign]
        )
        given = headers["webhook-signature"].split(" ")[1].removeprefix("v1a,")
        cases.append((f"evt_{n}.{n}.".encode() + body, base64.b64decode(given)))
    forged = [(signed[:-1] + bytes([signed[-1] ^ 1]), given) for signed, given in cases[:1000]]
    (tmp_path / "verify.mjs").write_text(PROGRAM)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": pair.x}
    asked = [[base64.b64encode(part).decode() for part in each] for each in [*cases, *forged]]
    done = subprocess.run(
        [str(NODE), str(tmp_path / "verify.mjs")], input=json.dumps([jwk, *asked]), capture_output=True, text=True,
        check=True, timeout=100,
    )  # fmt: skip
    expected = [True] * len(cases) + [False] * len(forged)
    assert json.loads(done.stdout) == expected
    key = VerifyKey(pair.public)
    assert [_holds(key, *each) for each in [*cases, *forged]] == expected
    figure(
        f"ed25519: {AMOUNT:,} bodies verified by PyNaCl and by Node's crypto, {len(forged):,} changed ones by neither"
    )


def test_libraries_that_know_v1_alone_read_past_v1a() -> None:
    secret = new_secret(bytes(range(32)))
    pair = KeyPair.of(SigningKey(bytes(range(32)), 0))
    headers = signature_headers(
        SigningSecrets(secret), prefix="X-P", event_id="evt_1", timestamp=int(time.time()), body=b"{}",
        ed25519=[pair.sign],
    )  # fmt: skip
    for library in (standardwebhooks.Webhook(secret), svix.Webhook(secret)):
        library.verify(b"{}", headers)  # raises for one that does not fit


def _holds(key: VerifyKey, signed: bytes, given: bytes) -> bool:
    try:
        key.verify(signed, given)
    except BadSignatureError:
        return False
    return True


def test_what_it_takes_of_the_senders_cpu(figure: Figure) -> None:
    """A signature's CPU, for one of 2 KB; a batch that asks for none must pay nothing for it."""
    pair = KeyPair.of(SigningKey(bytes(range(32)), 0))
    secrets, body = SigningSecrets(new_secret(bytes(range(32)))), b"x" * 2048

    def microseconds(*pairs: KeyPair) -> float:
        signs = [each.sign for each in pairs]
        best = []
        for _ in range(5):
            started = time.process_time()
            for n in range(1000):
                signature_headers(secrets, prefix="X-P", event_id="evt_1", timestamp=n, body=body, ed25519=signs)
            best.append((time.process_time() - started) * 1000)
        return min(best)

    plain, with_one, with_two = microseconds(), microseconds(pair), microseconds(pair, pair)
    assert with_two < 2_000
    figure(
        f"ed25519: signing 2 KB takes {plain:.0f} us of CPU by v1 alone, {with_one:.0f} with v1a, {with_two:.0f} with "
        "two keys during a rotation"
    )
