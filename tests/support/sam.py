"""What `sam build` makes, run as Lambda runs it: by the runtime interface emulator that sam brings, or by `sam local`.

Both take the sample events to the functions as built, with the environment of the same functions on the local stack.
"""

import contextlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localstack.emulator import PROJECT, REGION, free_port
from localstack.stack import LocalStack
from scripts.building import artifacts
from scripts.building.__main__ import SAM, build_all
from scripts.building.sizes import Size
from scripts.building.target import Target

Document = dict[str, Any]
SAM_PACKAGES = next(iter((PROJECT / ".venv-sam" / "lib").glob("python3*/site-packages")), PROJECT / "missing")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}


@dataclass(frozen=True, slots=True)
class Build:
    """A `sam build` of the project."""

    folder: Path
    target: Target
    sizes: tuple[Size, ...]

    def site(self, layer: str) -> Path:
        """What a layer puts on the path."""
        return self.folder / layer / artifacts.LAYER_FOLDER


def need_sam() -> None:
    """Skips without sam."""
    if not (PROJECT / SAM).exists():
        pytest.skip("sam is not there: `make test` sets it up (.venv-sam)")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The project, built for the Python and the processor of this machine."""
    need_sam()
    target = Target.of_this_machine()
    folder = tmp_path_factory.mktemp("built for this machine") / "build"
    with contextlib.chdir(PROJECT):
        return Build(folder, target, tuple(build_all(target, folder)))


def environment_of(stack: LocalStack, function: str) -> dict[str, str]:
    """What the template gives a function, by its logical id, as the local stack deployed it."""
    name = stack.resources[function]
    answer = stack.client("lambda").get_function_configuration(FunctionName=name, Qualifier="live")
    return answer["Environment"]["Variables"]


class FunctionError(Exception):
    """A function's answer is an error: its type and message."""


class EmulatedRuntime:
    """One function of a build under the runtime interface emulator, on a path of nothing but itself and its layer."""

    def __init__(self, build: Build, function: str, environment: Mapping[str, str], folder: Path) -> None:
        folder.mkdir()
        client = folder / "client"  # what AWS puts in the runtime, and not in our layers
        client.mkdir()
        for name in ("awslambdaric", "simplejson", "snapshot_restore_py", "runtime_client"):
            origin = Path(importlib.util.find_spec(name).origin or "")  # type: ignore[union-attr]
            origin = origin.parent if origin.name == "__init__.py" else origin
            (client / origin.name).symlink_to(origin)
        self._port = free_port()
        self._log = folder / "log"
        architecture = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
        emulator = SAM_PACKAGES / "samcli" / "local" / "rapid" / f"aws-lambda-rie-{architecture}"
        addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{self._port}"]
        addresses += ["--runtime-api-address", f"127.0.0.1:{free_port()}"]
        code = build.folder / function
        path = [code, build.site("DependenciesLayer"), client]
        runs = [str(emulator), *addresses, sys.executable, "-S", "-m", "awslambdaric", "app.handler"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                runs,
                cwd=code,
                env=CREDENTIALS
                | dict(environment)
                | {
                    "PATH": os.environ["PATH"],
                    "LAMBDA_TASK_ROOT": str(code),
                    "PYTHONPATH": os.pathsep.join(map(str, path)),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "AWS_LAMBDA_FUNCTION_NAME": function,
                    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
                    "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def invoke(self, event: Document) -> Any:
        """The function's answer. Raises FunctionError, with what it logged, for an error of the function."""
        url = f"http://127.0.0.1:{self._port}/2015-03-31/functions/function/invocations"
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(url, json.dumps(event).encode(), timeout=60) as answer:
                    return _answer(answer.read(), self._log)
            except urllib.error.HTTPError as error:
                raise FunctionError(f"{error.read().decode()}\n{self._log.read_text()}") from error
            except urllib.error.URLError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        """The emulator and the function end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, 15)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()


def _answer(body: bytes, log: Path) -> Any:
    answer = json.loads(body)
    if isinstance(answer, dict) and "errorMessage" in answer:
        raise FunctionError(f"{answer.get('errorType')}: {answer['errorMessage']}\n{log.read_text()}")
    return answer


@contextlib.contextmanager
def emulated(build: Build, function: str, environment: Mapping[str, str], folder: Path) -> Iterator[EmulatedRuntime]:
    """A function of a build, for as long as the block takes."""
    runtime = EmulatedRuntime(build, function, environment, folder)
    try:
        yield runtime
    finally:
        runtime.stop()


# What each sample of events/ is answered with on a stack that knows none of the things it names: a part of the answer,
# or of the error.
SAMPLES = {
    "api_create_webhook": '"statusCode": 201',
    "api_publish_events": '"statusCode": 202',
    "authorizer_request": "Unauthorized",
    "dashboard_page": '"statusCode": 200',
    "dashboard_script": '"statusCode": 200',
    "ingest_eventbridge": '{"batchItemFailures": []}',
    "ingest_http": '{"batchItemFailures": []}',
    "release_schedule": '"failures": 0',
    "replay_dead_letter": '{"batchItemFailures": []}',
    "replay_job": '{"batchItemFailures": []}',
    "rollup_stream": '{"batchItemFailures": []}',
    "sender_delivery": '{"batchItemFailures": []}',
    "sender_test": "no webhook wh_0U0192uWdfF5pDUoUUwtQaiXGV",
}
REFUSED = {"authorizer_request", "sender_test"}


def sample(name: str) -> Document:
    """One of events/."""
    return json.loads((PROJECT / "events" / f"{name}.json").read_text())


def function_of(name: str) -> str:
    """The logical id of the function that a sample is for."""
    return name.partition("_")[0].capitalize() + "Function"


def trigger_of(name: str) -> str:
    """What a sample comes from, and the function that it is for, as test_as_built.py reads them out of the template."""
    event = sample(name)
    if "test" in event:
        source = "ApiFunction"
    elif "Records" in event:
        source = event["Records"][0]["eventSourceARN"].split("/stream/")[0].split("-")[-2]
    else:
        kinds = {"REQUEST": "authorizer", "Scheduled Event": "schedule"}
        source = kinds.get(event.get("type", event.get("detail-type", ""))) or event["resource"]
    return f"{source} -> {function_of(name)}"
