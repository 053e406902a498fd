"""examples/receivers: each runs as its first lines say, and takes real deliveries."""

import base64
import queue
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from localstack.emulator import PROJECT
from tests.support.node import NODE
from tests.support.service import Service, event
from tests.support.stack import stack
from webhooks.request.signing import SigningSecrets, signature_headers

__all__ = ["stack"]
pytestmark = pytest.mark.timeout(300)  # the first build compiles Go's own library
EXAMPLES = PROJECT / "examples" / "receivers"
BODY = b'{"id":"evt_1","type":"record.created"}'


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class Example:
    """A receiver that runs, with what it prints."""

    def __init__(self, command: list[str], given: list[str], folder: Path) -> None:
        self.secrets = given
        variables = {"PORT": "0", "WEBHOOK_SECRETS": ",".join(given), "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.PIPE, text=True)
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self.line("listening on ").rpartition(" ")[2]

    def _read(self) -> None:
        for line in self._process.stdout or []:
            self._lines.put(line.strip())

    def line(self, start: str, seconds: float = 30) -> str:
        """The next line that begins so."""
        deadline = time.monotonic() + seconds
        while True:
            line = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            if line.startswith(start):
                return line

    def post(self, headers: Mapping[str, str], body: bytes = BODY) -> int:
        """The answer's status."""
        return httpx.post(self.url, content=body, headers=headers).status_code

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._reader.join(10)
        if self._process.stdout:
            self._process.stdout.close()


@pytest.fixture(scope="module", params=["python", "node", "go"])
def command(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    folder = EXAMPLES / request.param
    if request.param == "python":
        return [sys.executable, "receiver.py"], folder
    if request.param == "node":
        return [str(NODE), "receiver.mjs"], folder
    go = shutil.which("go")
    if go is None:
        pytest.skip("there is no go here (Debian: golang-go)")
    program = tmp_path_factory.mktemp("go") / "receiver"
    subprocess.run([go, "build", "-o", str(program), "."], cwd=folder, check=True)
    return [str(program)], folder


@pytest.fixture
def example(command: tuple[list[str], Path]) -> Iterator[Example]:
    running = Example(command[0], [new_secret(), new_secret()], command[1])
    try:
        yield running
    finally:
        running.stop()


def signed(secret: str, *, at: float = 0, event_id: str = "evt_1", previous: str | None = None) -> dict[str, str]:
    """Headers of a delivery sent `at` seconds from now."""
    signer = SigningSecrets(secret, previous)
    timestamp = int(time.time() + at)
    headers = signature_headers(signer, prefix="X-PyAirtable", event_id=event_id, timestamp=timestamp, body=BODY)
    return headers | {"X-PyAirtable-Webhook-ID": "wh_1"}


def test_a_real_delivery_is_accepted_and_known_again(example: Example, stack: object) -> None:
    with Service.of(stack) as service:  # type: ignore[arg-type]
        user = service.user()
        webhook = user.register(f"{example.url}/hook", secret=example.secrets[0])
        sent = event(user_id=user.user_id, data={"fields": {"name": "Zoë 名前"}})
        service.put_events([sent])
        assert example.line("accepted: ") == f"accepted: {sent['id']} record.created"
        delivery = user.settled(webhook["id"], sent["id"])
        user.post(f"/webhooks/{webhook['id']}/deliveries/{delivery['id']}/retry")
        assert example.line("duplicate: ") == f"duplicate: {sent['id']}"


def test_five_minutes_either_way_are_accepted_and_no_more(example: Example) -> None:
    secret = example.secrets[0]
    assert example.post(signed(secret, at=-290)) == 200
    assert example.post(signed(secret, at=290)) == 200
    assert example.post(signed(secret, at=-310)) == 401
    assert example.post(signed(secret, at=310)) == 401
    assert example.post(signed(secret) | {"webhook-timestamp": "9" * 5000}) == 401


@pytest.mark.parametrize("header", ["webhook-signature", "webhook-id", "webhook-timestamp"])
def test_a_signature_has_to_fit_its_id_and_its_time(example: Example, header: str) -> None:
    secret = example.secrets[0]
    right, wrong = signed(secret), signed(new_secret(), event_id="evt_2", at=-5)
    assert example.post(right) == 200
    assert example.post(right | {header: wrong[header]}) == 401


def test_without_any_signature_nothing_is_accepted(example: Example) -> None:
    right = signed(example.secrets[0])
    assert example.post({name: value for name, value in right.items() if "ignature" not in name}) == 401


def test_a_changed_body_is_refused(example: Example) -> None:
    assert example.post(signed(example.secrets[0]), BODY.replace(b"evt_1", b"evt_2")) == 401


def test_what_comes_twice_is_worked_on_once(example: Example) -> None:
    secret = example.secrets[0]
    assert [example.post(signed(secret, at=at)) for at in (-5, 0)] == [200, 200]
    assert example.line("accepted: ") == "accepted: evt_1 record.created"
    assert example.line("duplicate: ") == "duplicate: evt_1"
    assert example.post(signed(secret) | {"X-PyAirtable-Webhook-ID": "wh_2"}) == 200
    assert example.line("accepted: ") == "accepted: evt_1 record.created"


def test_a_rotation_is_survived_with_either_secret_first(example: Example) -> None:
    new, old = example.secrets
    assert example.post(signed(old)) == 200
    assert example.post(signed(new, previous=old)) == 200
    assert example.post(signed(new, previous=new_secret())) == 200
    assert example.post(signed(new)) == 200


def test_a_secret_of_the_former_service_is_used_as_it_is(command: tuple[list[str], Path]) -> None:
    secret = "a-secret-of-the-former-service-0123456789"
    running = Example(command[0], [secret], command[1])
    try:
        assert running.post(signed(secret)) == 200
    finally:
        running.stop()
