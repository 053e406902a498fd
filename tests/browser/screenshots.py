"""python -m tests.browser.screenshots [FOLDER]: every page in light and dark, wide and narrow, for a person to see."""

import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from localstack.stack import LocalStack
from tests.browser import estate
from tests.browser.conftest import FLAGS, chromium
from tests.browser.estate import Estate
from tests.browser.look import LOADING, Look
from tests.browser.test_pages import ADMINS, addresses, admin
from tests.support.service import Service

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / ".local" / "screenshots"
SIZES = {"wide": {"width": 1280, "height": 800}, "narrow": {"width": 390, "height": 844}}
THEMES = ("light", "dark")


def take(browser: Browser, base_url: str, owned: Estate, folder: Path, theme: str, size: str) -> int:
    """Every page, and the dialogs that are pages of their own; how many pictures that was."""
    context = browser.new_context(viewport=SIZES[size], color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    context.set_default_timeout(60_000)
    look = Look(base_url, context.new_page())
    taken = 0

    def picture(name: str) -> None:
        nonlocal taken
        taken += 1
        whole = not look.page.locator("dialog[open]").count()
        path = folder / f"{name.replace(', ', '-').replace(' ', '-')}-{theme}-{size}.png"
        look.page.screenshot(path=path, full_page=whole)

    look.page.goto(f"{base_url}/dashboard")
    expect(look.page.get_by_label("User id")).to_be_visible()
    picture("sign in")
    look.sign_in(owned.owner)
    at = addresses(owned)
    for name, address in at.items():
        look.open(address)
        look.page.evaluate("document.activeElement.blur()")
        look.page.wait_for_timeout(250)  # charts are drawn in the next frame
        picture(name)
    look.open(at["webhook"])
    look.press("Send test")
    look.press("Send now")
    expect(look.front.get_by_text("Request", exact=True)).to_be_visible()
    picture("dialog send test")
    look.page.keyboard.press("Escape")
    expect(look.page.locator("dialog[open]")).to_have_count(0)
    look.press("Delete")
    picture("dialog delete")
    look.open(at["subscriptions"])
    look.page.get_by_role("button", name="Change table.updated").click()
    look.press("A sample")
    expect(look.front.locator(".trials")).to_be_visible()
    picture("dialog filters")
    look.open(at["dead letters"])
    look.page.get_by_role("button", name="Replay all").first.click()
    expect(look.front.get_by_text("in about")).to_be_visible()
    picture("dialog replay")
    look.open(at["delivery"])
    look.page.get_by_text("Check a signature").click()
    picture("signature check")
    expect(look.page.locator(LOADING)).to_have_count(0)
    context.close()
    return taken


def admins(browser: Browser, service: Service, folder: Path, theme: str, size: str) -> int:
    """What admins see otherwise, or alone."""
    context = browser.new_context(viewport=SIZES[size], color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    look = Look(service.stack.base_url, context.new_page())
    look.sign_in(admin(service))
    for name, address in ADMINS.items():
        look.open(address)
        file = name.replace("'", "").replace(", ", "-").replace(" ", "-")
        look.page.screenshot(path=folder / f"{file}-{theme}-{size}.png", full_page=True)
    context.close()
    return len(ADMINS)


def first_visit(browser: Browser, service: Service, folder: Path, theme: str, size: str) -> int:
    """An account with nothing in it."""
    context = browser.new_context(viewport=SIZES[size], color_scheme=theme)  # type: ignore[arg-type]
    look = Look(service.stack.base_url, context.new_page())
    look.sign_in(service.user())
    for name, address in (("first visit", "#/"), ("no webhooks", "#/webhooks"), ("no dead letters", "#/dead-letters")):
        look.open(address)
        look.page.screenshot(path=folder / f"{name.replace(' ', '-')}-{theme}-{size}.png", full_page=True)
    context.close()
    return 3


def main() -> int:
    """Entry point; 1 without a browser."""
    found = chromium()
    if found is None:
        print("No Chromium here (Debian: apt-get install chromium).", file=sys.stderr)  # noqa: T201
        return 1
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    started, taken = time.monotonic(), 0
    with LocalStack(parameters={"RetryBaseSeconds": "1"}) as stack, Service.of(stack) as service:
        owned = estate.make(service, service.user(123))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
            for theme in THEMES:
                for size in SIZES:
                    taken += take(browser, stack.base_url, owned, folder, theme, size)
                    taken += admins(browser, service, folder, theme, size)
                    taken += first_visit(browser, service, folder, theme, size)
            browser.close()
    print(f"{taken} pictures in {folder} ({time.monotonic() - started:.0f} s)")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
