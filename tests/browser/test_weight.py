"""How much comes over the wire at first, and how soon pages are there, with much in the account."""

import os
import time
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Response, expect

from tests.browser.conftest import MANY, SCALE
from tests.browser.estate import Crowd
from tests.browser.look import LOADING, Look
from tests.conftest import Figure
from tests.support.service import Service

MAX_FIRST_LOAD = 120_000
MAX_LOAD = 1.5
MAX_SECONDS, MAX_TASK_MS = 1.0, 100
LONG_TASKS = """
  window.longest = 0;
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) window.longest = Math.max(window.longest, one.duration);
  }).observe({ type: "longtask", buffered: true });
"""


@dataclass
class Wire:
    """What was transferred."""

    sizes: dict[str, int] = field(default_factory=dict[str, int])

    def note(self, response: Response) -> None:
        if "/dashboard" in response.url:
            self.sizes[response.url] = len(response.body()) + 700  # and its headers


def test_the_first_load_is_light(look: Look, service: Service, figure: Figure) -> None:
    responses: list[Response] = []
    look.page.on("response", lambda response: responses.append(response))
    user = service.user()
    user.register(service.receiver.url(service.path()))
    look.sign_in(user)
    wire = Wire()
    for response in responses:
        wire.note(response)
    total = sum(wire.sizes.values())
    figure(f"first load, sign-in and overview: {total / 1000:.0f} KB in {len(wire.sizes)} files, uncompressed")
    assert total < MAX_FIRST_LOAD


@pytest.mark.slow
@pytest.mark.parametrize("crowd", [pytest.param(MANY, id="many", marks=SCALE)], indirect=True)
@pytest.mark.timeout(1_200)
def test_pages_are_there_soon_with_a_thousand_webhooks(
    look: Look, service: Service, crowd: Crowd, figure: Figure
) -> None:
    time.sleep(10)  # rollup goes on for a while
    look.page.add_init_script(LONG_TASKS)
    look.sign_in(crowd.owner)
    at = f"#/webhooks/{crowd.busy['id']}"
    pages = (
        ("overview", "#/", "main .tiles"),
        ("webhooks", "#/webhooks", "main tbody tr"),
        ("webhook", at, "main .tiles"),
        ("deliveries", f"{at}?tab=deliveries", "main tbody tr"),
        ("failed deliveries", "#/deliveries?status=failed", "main .turner, main .empty"),
        ("events", "#/events", "main tbody tr"),
        ("dead letters", "#/dead-letters", "main .empty"),
    )
    for _, address, usable in pages:  # functions that start for the first time take seconds here
        _opened(look, address, usable)
    measured = {name: _opened(look, address, usable) for name, address, usable in pages}
    said = ", ".join(
        f"{name} {seconds:.2f} s (longest task {task:.0f} ms)" for name, (seconds, task) in measured.items()
    )
    figure(f"{crowd}: {said}")
    # time goes by the clock: where others take the processors, it says nothing of our pages
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    figure(f"at a load of {load:.1f} for each processor")
    if load > MAX_LOAD:
        pytest.skip("this machine is too busy for times to mean anything")
    assert {name: seconds for name, (seconds, _) in measured.items() if seconds > MAX_SECONDS} == {}
    assert {name: task for name, (_, task) in measured.items() if task > MAX_TASK_MS} == {}


def _opened(look: Look, address: str, usable: str) -> tuple[float, float]:
    """A page from nothing: seconds until there is something to use, and its longest task in milliseconds."""
    look.page.goto("about:blank")
    started = time.monotonic()
    look.page.goto(f"{look.base_url}/dashboard{address}")
    expect(look.page.locator(usable).first).to_be_visible(timeout=60_000)
    seconds = time.monotonic() - started
    expect(look.page.locator(LOADING)).to_have_count(0, timeout=60_000)
    return seconds, look.page.evaluate("() => window.longest")
