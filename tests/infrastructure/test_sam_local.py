"""`sam local invoke` with every sample event, and `sam local start-api`, for real: `make test-sam`."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from localstack import cloudformation
from localstack.emulator import PROJECT, free_port
from localstack.stack import LocalStack
from scripts.building.__main__ import SAM
from tests.sam_local import engine as docker
from tests.sam_local import image
from tests.support.sam import CREDENTIALS, REFUSED, SAMPLES, Build, Document, built, environment_of, function_of, sample

if not os.environ.get("SAM_LOCAL"):
    pytest.skip("sam local needs a Docker engine and root: `make test-sam`", allow_module_level=True)
if (reason := docker.missing()) is not None:
    pytest.skip(reason, allow_module_level=True)

__all__ = ["built"]
FUNCTIONS = sorted({function_of(name) for name in SAMPLES})
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, slots=True)
class SamLocal:
    """`sam local` on a build, with functions that find the local stack's emulator."""

    template: Path
    variables: Path
    engine: docker.Engine

    def command(self, *arguments: str) -> list[str]:
        options = ["--template", str(self.template), "--env-vars", str(self.variables), "--skip-pull-image"]
        return [str(PROJECT / SAM), "-m", "samcli", "local", *arguments, *options]

    @property
    def environment(self) -> dict[str, str]:
        """Without credentials: with any, sam asks AWS who they belong to."""
        kept = {name: value for name, value in os.environ.items() if name not in CREDENTIALS}
        return kept | self.engine.variables | {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}

    def invoke(self, function: str, event: Document) -> str:
        """What sam prints of the function's answer."""
        done = subprocess.run(
            self.command("invoke", function, "--event", "-"),
            input=json.dumps(event),
            cwd=self.template.parent,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + "\n" + done.stderr

    @contextlib.contextmanager
    def api(self) -> Iterator[str]:
        """`sam local start-api` for as long as the block takes; its address."""
        port = free_port()
        log_path = self.template.parent / "start-api.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                self.command("start-api", "--port", str(port), "--warm-containers", "LAZY"),
                cwd=self.template.parent,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            deadline = time.monotonic() + 120
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                assert process.poll() is None, log_path.read_text()
                assert time.monotonic() < deadline, log_path.read_text()
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            print(log_path.read_text())  # noqa: T201 - pytest shows it with a failure


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """Its emulator takes any credentials: sam makes some up."""
    with LocalStack() as running:
        yield running


@pytest.fixture(scope="module")
def engine(built: Build) -> Iterator[docker.Engine]:
    """With a base image for the build's target."""
    default = Path.home() / ".cache" / "pyairtable-webhooks" / "sam-local"
    with contextlib.ExitStack() as kept:
        try:
            running = kept.enter_context(docker.Engine(Path(os.environ.get("SAM_LOCAL_DIR") or default)))
        except docker.EngineError as exc:  # a container without the rights for containers of its own
            pytest.skip(str(exc))
        image.build(running, built.target)
        yield running


@pytest.fixture(scope="module")
def sam(
    built: Build, engine: docker.Engine, stack: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SamLocal]:
    gateway = _bridge_address()
    with relay(gateway, int(stack.endpoint_url.rpartition(":")[2])) as port:
        folder = tmp_path_factory.mktemp("sam local")
        shutil.copytree(built.folder, folder / "build")
        template = cloudformation.load(built.folder / "template.yaml")
        target = dict(each.split("=") for each in built.target.parameters)
        template = cloudformation.with_parameters(template, {"Stage": "local", **target})
        # sam passes on only what the template declares
        declared = template["Globals"]["Function"]["Environment"]["Variables"]
        declared["AWS_ENDPOINT_URL"] = ""
        for each in FUNCTIONS:  # a container starts slowly on a busy machine
            template["Resources"][each]["Properties"]["Timeout"] = 120
        path = folder / "build" / "template.json"
        path.write_text(json.dumps(template))
        endpoint = {"AWS_ENDPOINT_URL": f"http://{gateway}:{port}"}
        variables = folder / "variables.json"
        variables.write_text(json.dumps({each: environment_of(stack, each) | endpoint for each in FUNCTIONS}))
        yield SamLocal(path, variables, engine)


def _bridge_address() -> str:
    """This machine's address on the network of the engine's containers."""
    done = subprocess.run(["ip", "-json", "-4", "addr", "show", "docker0"], capture_output=True, check=True)
    return json.loads(done.stdout)[0]["addr_info"][0]["local"]


@contextlib.contextmanager
def relay(address: str, target_port: int) -> Iterator[int]:
    """Containers reach a loopback port of this machine by the port that this gives."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def carry(incoming: socket.socket) -> None:
        with incoming, socket.create_connection(("127.0.0.1", target_port)) as outgoing:
            back = threading.Thread(target=pump, args=(outgoing, incoming), daemon=True)
            back.start()
            pump(incoming, outgoing)
            back.join()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=carry, args=(listener.accept()[0],), daemon=True).start()

    listener = socket.create_server((address, 0))
    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


@pytest.mark.parametrize("name", SAMPLES)
def test_sam_local_invokes_every_function(name: str, sam: SamLocal) -> None:
    output = sam.invoke(function_of(name), sample(name))
    assert SAMPLES[name] in output
    assert ("errorMessage" in output) == (name in REFUSED)


def test_sam_local_serves_the_api(sam: SamLocal, stack: LocalStack) -> None:
    token = {"Authorization": f"Bearer {stack.token(4711)}", "Content-Type": "application/json"}
    webhook = {"name": "By sam", "url": "https://example.com/hook", "subscriptions": [{"event_type": "*"}]}
    with sam.api() as url:
        assert call(f"{url}/health")[0] == 200
        assert call(f"{url}/api/v1/webhooks")[0] == 401
        status, created = call(f"{url}/api/v1/webhooks", token, webhook)
        assert status == 201, created
        status, read = call(f"{url}/api/v1/webhooks/{created['id']}", token)
    assert status == 200
    assert read["name"] == "By sam"
    assert read["user_id"] in (4711, "4711")


def call(url: str, headers: dict[str, str] | None = None, body: Document | None = None) -> tuple[int, Document]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")
