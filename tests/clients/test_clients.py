"""Both clients, made anew from the API's document: strictly typed, and they do the same things."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.clients import make_python, make_typescript, read_document
from tests.support.node import NODE, skip_without_registry
from tests.support.receiver import Receiver, answer, reset, retry_after
from tests.support.service import Service
from webhooks.request.signing import SigningSecrets, new_secret, signature_headers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
HERE = Path(__file__).parent
STEPS = re.findall(r'^ +step\("(.+)"\)$', (HERE / "scenario.py").read_text(), re.MULTILINE)
WRONG = b'{"title": "Validation failed", "errors": [{"field": "url", "message": "no", "code": "url_name"}]}'
JSON = [("Content-Type", "application/json")]
Run = Callable[[str, dict[str, str]], list[str]]  # a script by its name, and its surroundings; what it printed


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_python(read_document(), tmp_path_factory.mktemp("clients") / "python")


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the package for npm, which tsc has compiled strictly."""
    with skip_without_registry():
        return make_typescript(read_document(), tmp_path_factory.mktemp("clients") / "typescript").parent


@pytest.fixture(params=["python", "typescript"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """In either language."""
    if request.param == "python":
        wheel: Path = request.getfixturevalue("wheel")
        return lambda name, given: output(
            [sys.executable, str(HERE / f"{name}.py")], HERE, given | {"PYTHONPATH": str(wheel)}
        )
    package: Path = request.getfixturevalue("package")
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "pyairtable-webhooks").symlink_to(package)
    (tmp_path / "package.json").write_text('{"type": "module"}')

    def compiled(name: str, given: dict[str, str]) -> list[str]:
        (tmp_path / f"{name}.ts").write_bytes((HERE / f"{name}.ts").read_bytes())
        strictly = ["--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--lib", "es2023,dom,dom.iterable"]
        tsc = [str(NODE), str(package / "node_modules" / "typescript" / "bin" / "tsc"), *strictly]
        output([*tsc, "--module", "nodenext", f"{name}.ts"], tmp_path, {})
        return output([str(NODE), f"{name}.js"], tmp_path, given)

    return compiled


def output(command: list[str], folder: Path, given: dict[str, str]) -> list[str]:
    environment = os.environ | given
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_they_do_what_a_platform_does(run: Run, service: Service) -> None:
    good, bad = service.path(), service.path(answer(500), answer(200))
    user = service.bearer(scope="webhooks events:write api-keys")
    given = {
        "URL": service.stack.base_url,
        "TOKEN": user.headers["Authorization"].removeprefix("Bearer "),
        "GOOD": service.receiver.url(good),
        "BAD": service.receiver.url(bad),
    }
    assert run("scenario", given) == STEPS
    assert len(STEPS) >= 40


def test_they_try_again_what_does_nothing_twice_and_nothing_else(run: Run) -> None:
    with Receiver() as receiver:
        receiver.script("/health", answer(503, headers=[("Retry-After", "1")]), answer(200, b'{"status": "ok"}', JSON))
        receiver.script("/api/v1/webhooks", answer(500), reset(), retry_after(1), answer(422, WRONG, JSON))
        receiver.script("/api/v1/webhooks/wh_1/test", answer(500))
        run("misfortunes", {"URL": receiver.url("")})
        first, second = (each.arrived for each in receiver.requests("/health"))
        assert second - first >= 1  # as Retry-After says
        made = receiver.requests("/api/v1/webhooks")
        assert len(made) == 4
        assert len({each.header("Idempotency-Key") for each in made}) == 1
        assert made[0].header("Idempotency-Key")
        (tried,) = receiver.requests("/api/v1/webhooks/wh_1/test")
        assert tried.header("Idempotency-Key") is None


def test_both_bring_the_receivers_helper_along(run: Run) -> None:
    secret, body = new_secret(bytes(range(32))), '{"id":"evt_1"}'
    headers = signature_headers(
        SigningSecrets(secret), prefix="X-P", event_id="evt_1", timestamp=int(time.time()), body=body.encode()
    )
    said = run("received", {"SECRET": secret, "HEADERS": json.dumps(headers), "BODY": body})
    assert said == ["evt_1", "no signature fits the body and the secrets given"]


def test_the_python_client_and_what_calls_it_are_typed(wheel: Path) -> None:
    folder = wheel.parents[1]
    (folder / "src" / "scenario.py").write_bytes((HERE / "scenario.py").read_bytes())
    output([sys.executable, "-m", "basedpyright", "-p", str(folder), "--pythonpath", sys.executable], folder, {})
