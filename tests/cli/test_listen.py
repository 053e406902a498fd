"""Events of the running service on this machine: from the installation on, and through a bad network."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from localstack.emulator import PROJECT
from tests.cli.breaks import run
from tests.cli.command import Pyhooks
from tests.conftest import Figure
from tests.support.receiver import Receiver
from tests.support.service import PATIENCE_SECONDS, Service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def uv(*arguments: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uv", "--quiet", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_from_the_installation_to_the_first_event(service: Service, tmp_path: Path, figure: Figure) -> None:
    token = service.bearer(scope="webhooks events:write").headers["Authorization"].removeprefix("Bearer ")
    started = time.monotonic()
    uv("build", "--wheel", "--out-dir", str(tmp_path), "cli", folder=PROJECT)
    (wheel,) = tmp_path.glob("*.whl")
    uv("venv", "--python", sys.executable, str(tmp_path / "venv"), folder=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    install = ("pip", "install", "--python", str(python))
    uv(*install, "--require-hashes", "-r", str(PROJECT / "cli" / "requirements.txt"), folder=tmp_path)
    uv(*install, "--no-deps", str(wheel), folder=tmp_path)
    installed = time.monotonic()
    with Receiver() as receiver, Pyhooks(tmp_path / "config", [str(python.with_name("pyhooks"))]) as pyhooks:
        pyhooks.login(service.stack.base_url, token)
        listening = pyhooks.start("listen", "--forward-to", f"{receiver.port}/hook", "--print-secret")
        secret = listening.says("Signing secret").rpartition(" ")[2].strip()
        listening.says("Ready")
        assert pyhooks("trigger", "record.created", "--field", "status=won").code == 0
        (request,) = receiver.wait_for("/hook", timeout=PATIENCE_SECONDS)
        took = time.monotonic() - started
        assert listening.end() == 0
    sent = json.loads(request.body)
    assert sent["data"]["fields"]["status"] == "won"
    assert Webhook(secret).verify(request.body, dict(request.headers)) == sent
    first = took - installed + started
    figure(f"pyhooks: {installed - started:.1f} s to install, {first:.1f} s to the first event (bar: 60 s in all)")


def test_nothing_is_lost_while_the_network_is_cut_and_the_receiver_down(
    service: Service, pyhooks: Pyhooks, figure: Figure
) -> None:
    figure("pyhooks listen: " + run(service, pyhooks, 160))
