"""As somebody new: `make run`, the address that it prints, and on until a test event has arrived, by what one sees."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.look import Look
from tests.conftest import Figure
from tests.infrastructure.template_document import PROJECT
from tests.support.receiver import Receiver
from tests.support.service import body_of, eventually

# What `make run` starts, with data of its own: another may be running in this folder.
RUN = "import pathlib, sys, localstack.__main__ as run; run.DATA = pathlib.Path(sys.argv[1]); sys.exit(run.main())"


@contextmanager
def _make_run(data: Path) -> Iterator[list[str]]:
    """The lines that it prints, as they come."""
    environment = {**os.environ, "PORT": "0", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", RUN, str(data)]
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        lines: list[str] = []
        assert process.stdout is not None
        reader = Thread(target=lines.extend, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            yield lines
        finally:
            process.terminate()
            process.wait(60)
            reader.join(10)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_from_make_run_to_a_received_test_event(browser: Browser, tmp_path: Path, figure: Figure) -> None:
    started = time.monotonic()
    with Receiver() as own_server, _make_run(tmp_path / "data") as lines:
        printed = eventually(lambda: re.search(r"Dashboard +(\S+)/dashboard", "".join(lines)), timeout=120)
        assert printed is not None
        ready = time.monotonic() - started
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        context.set_default_timeout(40_000)
        look = Look(printed[1], context.new_page())
        look.page.goto(f"{look.base_url}/dashboard")
        look.page.get_by_label("User id").fill("77")
        look.press("Continue")
        look.page.get_by_role("link", name="Create the first webhook").click()
        look.page.get_by_label("Name", exact=True).fill("My server")
        look.page.get_by_label("Endpoint URL").fill(own_server.url("/hook"))
        look.page.get_by_label("record.*", exact=False).first.check()
        look.press("Create webhook")
        expect(look.page.locator("dialog[open]")).to_be_visible(timeout=40_000)
        look.press("I saved the secret")
        look.settled()
        look.press("Send test")
        look.press("Send now")
        expect(look.front.get_by_text("Delivered", exact=True)).to_be_visible(timeout=40_000)
        seconds = time.monotonic() - started
        (request,) = own_server.requests("/hook")
        assert body_of(request)["type"] == "webhook.test"
        assert look.faults == []
        context.close()
    figure(
        f"from `make run` to a received test event: {seconds:.1f} s, of them {ready:.1f} s until it is ready; 8 steps: "
        "open the address, user id, create, name, address, events, save the secret, send a test; "
        f"at a load of {os.getloadavg()[0]:.1f}"
    )
