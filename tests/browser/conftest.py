"""A real Chromium on the pages of a running stack. Without one, these tests are skipped, with one line that says so."""

import os
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, expect, sync_playwright

from localstack.stack import LocalStack
from tests.browser import estate
from tests.browser.estate import Crowd, Estate
from tests.browser.look import Look
from tests.support.service import Service
from tests.support.stack import PARAMETERS

HERE = Path(__file__).parent
expect.set_options(timeout=20_000)  # a function that starts for the first time takes seconds on a busy machine
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def chromium() -> str | None:
    """The system's own; none is downloaded."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if chromium() is None:
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="no Chromium here (Debian: apt-get install chromium)"))


class Embedding:
    """A page of another origin that embeds the dashboard, and hands it a token."""

    def __init__(self, host: str) -> None:
        self.page = b""
        embedding = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(embedding.page)))
                self.end_headers()
                self.wfile.write(embedding.page)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing to say."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://{host}:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, name="embedding", daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="package")
def allowed() -> Iterator[Embedding]:
    """The origin that the deployment lets embed the dashboard."""
    made = Embedding("localhost")
    yield made
    made.close()


@pytest.fixture(scope="package")
def stranger() -> Iterator[Embedding]:
    """One that it does not."""
    made = Embedding("localhost")
    yield made
    made.close()


@pytest.fixture(scope="package")
def service(allowed: Embedding) -> Iterator[Service]:
    """The service with the dashboard of the working tree."""
    parameters = {**PARAMETERS, "DashboardFrameAncestors": allowed.origin, "TenantRateLimit": "0"}
    with LocalStack(parameters=parameters) as stack, Service.of(stack) as running:
        yield running


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Ends with this folder's tests: its event loop would be in the way of others'."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    opened = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
    yield opened
    opened.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(
        viewport={"width": 1280, "height": 860}, permissions=["clipboard-read", "clipboard-write"]
    )
    made.set_default_timeout(20_000)
    made.set_default_navigation_timeout(60_000)  # the first page starts the dashboard's function
    yield made
    made.close()


@pytest.fixture
def look(service: Service, context: BrowserContext) -> Iterator[Look]:
    """A tab. At the end nothing may have gone against the policy, and no script have failed."""
    opened = Look(service.stack.base_url, context.new_page())
    yield opened
    assert opened.faults == []


FEW, MANY = (40, 100), (int(os.environ.get("WEBHOOKS", "1000")), int(os.environ.get("DELIVERIES", "10000")))
SCALE = pytest.mark.skipif("SCALE" not in os.environ, reason="takes minutes: `make test-browser` has it (SCALE=1)")


@pytest.fixture(scope="package")
def crowds() -> dict[tuple[int, int], Crowd]:
    """Those that were made."""
    return {}


@pytest.fixture(params=[pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=SCALE)])
def crowd(request: pytest.FixtureRequest, service: Service, crowds: dict[tuple[int, int], Crowd]) -> Crowd:
    """Webhooks and deliveries around what a test is about."""
    if request.param not in crowds:
        crowds[request.param] = estate.crowd(service, *request.param)
    return crowds[request.param]


@pytest.fixture(scope="package")
def owned(service: Service) -> Estate:
    """Webhooks that do well and badly. Shared: look, and change nothing."""
    return estate.make(service, service.user())
