"""Every page with figures in it: it opens by itself, can be read by everybody, and fits."""

import json
import re
import shutil
import subprocess
import tarfile
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.estate import Estate
from tests.browser.look import Look
from tests.conftest import Figure
from tests.support.receiver import answer
from tests.support.service import Service, event

AXE = "axe-core@4.14.1"
PROJECT = Path(__file__).parents[2]
# Whether a table is wider than its place.
HIDDEN = "[...document.querySelectorAll('main .scroll')].some((one) => one.scrollWidth > one.clientWidth + 1)"


def addresses(owned: Estate) -> dict[str, str]:
    orders, crm = (owned.webhooks[name]["id"] for name in ("orders", "crm"))
    return {
        "overview": "#/",
        "webhooks": "#/webhooks",
        "new webhook": "#/webhooks/new",
        "edit webhook": f"#/webhooks/{orders}/edit",
        "webhook": f"#/webhooks/{crm}",
        "subscriptions": f"#/webhooks/{orders}?tab=subscriptions",
        "deliveries": f"#/webhooks/{crm}?tab=deliveries",
        "changes": f"#/webhooks/{crm}?tab=changes",
        "settings": f"#/webhooks/{orders}?tab=settings",
        "delivery": f"#/webhooks/{crm}/deliveries/{owned.failed['id']}",
        "all deliveries": "#/deliveries",
        "replays": "#/replays",
        "events": "#/events",
        "event": f"#/events/{owned.event_id}",
        "dead letters": "#/dead-letters",
        "dead letters, one by one": "#/dead-letters?view=list",
        "api keys": "#/api-keys",
        "service": "#/service",
        "nowhere": "#/nowhere",
    }


ADMINS = {
    "everybody": "#/",
    "everybody's webhooks": "#/webhooks",
    "everybody's deliveries": "#/deliveries",
    "everybody's dead letters": "#/dead-letters",
    "everybody's dead letters, one by one": "#/dead-letters?view=list",
    "everybody's replays": "#/replays",
    "erased tenants": "#/erasures",
}  # what an admin sees otherwise, or alone


def admin(service: Service) -> str:
    """The token of one."""
    return service.stack.token(service.user().user_id, scope="webhooks admin metrics:read")


def test_every_page_opens_by_its_address_and_has_one_heading(look: Look, owned: Estate) -> None:
    look.sign_in(owned.owner)
    for name, at in addresses(owned).items():
        look.open(at)
        expect(look.page.locator("h1")).to_have_count(1)
        expect(look.page.locator("div.failure")).to_have_count(0)
        assert look.page.title() != "Webhooks", name


def test_the_overview_says_what_there_may_be_and_how_much_of_it_there_is(look: Look, owned: Estate) -> None:
    look.sign_in(owned.owner)
    look.open("#/")
    look.page.get_by_text("Limits", exact=True).click()
    row = look.page.get_by_role("row").filter(has_text="Webhooks that you have")
    expect(row).to_contain_text(str(len(owned.webhooks)))
    expect(row).to_contain_text("1,000")


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_is_wider_than_the_window(look: Look, service: Service, owned: Estate, width: int) -> None:
    look.page.set_viewport_size({"width": width, "height": 800})
    look.sign_in(owned.owner)
    _fit(look, addresses(owned))
    look.sign_out()
    look.sign_in(admin(service))
    _fit(look, ADMINS)


def _fit(look: Look, pages: dict[str, str]) -> None:
    for name, at in pages.items():
        look.open(at)
        beyond = look.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert beyond <= 0, name


def test_the_columns_of_a_list_are_all_there(look: Look, service: Service, owned: Estate) -> None:
    look.sign_in(owned.owner)
    at = addresses(owned)
    for name in ("webhooks", "deliveries", "all deliveries", "events", "dead letters, one by one", "changes"):
        look.open(at[name])
        assert not look.page.evaluate(HIDDEN), name
    look.sign_out()
    look.sign_in(admin(service))
    for name, page in ADMINS.items():
        look.open(page)
        assert not look.page.evaluate(HIDDEN), name


def test_a_name_without_spaces_widens_no_list(look: Look, service: Service) -> None:
    user = service.user()
    url = service.receiver.url(service.path(answer(500)))
    webhook = user.register(url, "record.created", name="Unbroken" * 20, max_retries=0)
    published = event()
    user.post("/events", published)
    user.settled(webhook["id"], published["id"], "failed")
    look.sign_in(user)
    for page in (
        "#/",
        "#/webhooks",
        "#/deliveries",
        "#/dead-letters",
        "#/dead-letters?view=list",
        f"#/events/{published['id']}",
    ):
        look.open(page)
        assert not look.page.evaluate(HIDDEN), page
    look.sign_out()
    look.sign_in(admin(service))
    for name, page in ADMINS.items():
        look.open(page)
        assert not look.page.evaluate(HIDDEN), name


@cache
def axe() -> str | None:
    """axe-core's script from npm, which checks what it sends; None without npm or a registry."""
    npm = shutil.which("npm")
    kept = PROJECT / ".local" / "axe"
    script = kept / "package" / "axe.min.js"
    if npm is None and not script.is_file():
        return None
    if not script.is_file():
        kept.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([str(npm), "pack", AXE, "--json"], cwd=kept, capture_output=True, text=True, check=False)
        if done.returncode:
            return None
        with tarfile.open(kept / json.loads(done.stdout)[0]["filename"]) as archive:
            packed = archive.extractfile("package/axe.min.js")
            assert packed is not None
            script.parent.mkdir(exist_ok=True)
            script.write_bytes(packed.read())
    return script.read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation(browser: Browser, service: Service, owned: Estate, theme: str, figure: Figure) -> None:
    script = axe()
    if script is None:
        pytest.skip("axe-core comes from npm, which is not here or does not answer")
    context = browser.new_context(viewport={"width": 1280, "height": 860}, color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    # into the page by the debugger: its policy lets no other script in
    context.add_init_script(script)
    look = Look(service.stack.base_url, context.new_page())
    look.page.goto(f"{look.base_url}/dashboard")
    expect(look.page.get_by_label("User id")).to_be_visible()
    found = {"sign in": _violations(look)}
    look.sign_in(owned.owner)
    for name, at in addresses(owned).items():
        look.open(at)
        found[name] = _violations(look)
    look.open(addresses(owned)["subscriptions"])
    look.press("Add a subscription")
    found["filter editor"] = _violations(look)
    look.sign_out()
    look.sign_in(admin(service))
    for name, at in ADMINS.items():
        look.open(at)
        found[name] = _violations(look)
    context.close()
    figure(f"axe-core, {theme}: {sum(map(len, found.values()))} violations on {len(found)} pages")
    assert {name: some for name, some in found.items() if some} == {}


def _violations(look: Look) -> list[str]:
    answer = look.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for each in answer["violations"]
        for node in each["nodes"][:3]
    ]


def test_the_keyboard_alone_is_enough(look: Look, owned: Estate) -> None:
    look.sign_in(owned.owner, "#/webhooks")
    look.page.keyboard.press("Tab")
    focused = look.page.locator(":focus")
    expect(focused).to_be_visible()
    look.page.get_by_role("link", name="Orders to the warehouse").focus()
    look.page.keyboard.press("Enter")
    expect(look.page.locator("h1")).to_have_text("Orders to the warehouse")
    expect(look.page.locator("h1")).to_be_focused()
    look.page.get_by_role("tab", name="Activity").focus()
    look.page.keyboard.press("ArrowRight")
    expect(look.page.get_by_role("tab", name="Subscriptions")).to_be_focused()
    expect(look.page.get_by_role("tab", name="Subscriptions")).to_have_attribute("aria-selected", "true")
    look.settled()
    look.page.get_by_role("button", name="Add a subscription").focus()
    look.page.keyboard.press("Enter")
    expect(look.page.locator("dialog[open]")).to_be_visible()
    look.page.keyboard.press("Escape")
    expect(look.page.locator("dialog[open]")).to_have_count(0)


def test_another_tab_does_not_take_over_what_a_list_has_in_the_address(look: Look, owned: Estate) -> None:
    look.sign_in(owned.owner, f"{addresses(owned)['deliveries']}&status=failed")
    expect(look.page.get_by_label("Status", exact=True)).to_have_value("failed")
    look.page.get_by_role("tab", name="Changes").click()
    look.settled()
    expect(look.page.locator("main tbody tr").first).to_be_visible()
    assert look.page.url.endswith("?tab=changes")


def test_what_was_opened_stays_open_when_figures_are_read_anew(look: Look, owned: Estate) -> None:
    look.page.clock.install()
    look.sign_in(owned.owner)
    told = look.page.locator(".head [role=status]")
    before = told.inner_text()
    table = look.page.locator("details.as-table").first
    table.locator("summary").click()
    look.page.clock.fast_forward(60_000)
    expect(told).not_to_have_text(before)
    expect(table).to_have_attribute("open", "")
    expect(table.locator("summary")).to_be_focused()


def test_keys_search_and_go_through_a_list(look: Look, owned: Estate) -> None:
    look.sign_in(owned.owner, "#/webhooks")
    keyboard, rows = look.page.keyboard, look.page.locator("main tbody tr")
    keyboard.press("/")
    expect(look.page.get_by_label("Search webhooks")).to_be_focused()
    keyboard.type("j")  # a letter like any other where one types
    expect(look.page.get_by_label("Search webhooks")).to_have_value("j")
    keyboard.press("Backspace")
    expect(rows).to_have_count(len(owned.webhooks))
    look.page.locator("h1").focus()
    for key, row in (("j", 0), ("j", 1), ("k", 0), ("j", 1)):
        keyboard.press(key)
        expect(rows.nth(row).locator("a").first).to_be_focused()
    name = rows.nth(1).locator("a").first.inner_text()
    keyboard.press("?")
    expect(look.page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    keyboard.press("Escape")
    expect(look.page.locator("dialog[open]")).to_have_count(0)
    keyboard.press("Enter")
    expect(look.page.locator("h1")).to_have_text(name)


def test_25_webhooks_fit_two_screens(look: Look, service: Service, figure: Figure) -> None:
    user = service.user()
    tail = "integrations/" * 12
    for number in range(25):
        user.register(service.receiver.url(f"/{tail}{number}"), name=f"Webhook {number}")
    look.sign_in(user, "#/webhooks")
    expect(look.page.locator("main tbody tr")).to_have_count(25)
    height = look.page.evaluate("() => document.documentElement.scrollHeight")
    figure(f"25 webhooks with long URLs: {height / 860:.2f} screens of 1280 x 860")
    assert height <= 2 * 860
    shown = look.page.locator("main tbody .address").first
    assert "…" in shown.inner_text()
    assert (shown.get_attribute("title") or "").endswith(f"{tail}24")


def test_times_are_the_readers_and_ids_copy_on_a_click(look: Look, owned: Estate) -> None:
    look.sign_in(owned.owner, addresses(owned)["delivery"])
    shown = look.page.locator("time").first
    assert "UTC" in (shown.get_attribute("title") or "")
    assert re.search(r"UTC|GMT|[A-Z]{3,4}$", shown.inner_text()), "the zone is said"
    look.page.get_by_role("button", name=f"Copy {owned.failed['id']}").click()
    look.toast("Copied")
    assert look.page.evaluate("() => navigator.clipboard.readText()") == owned.failed["id"]


def test_the_theme_is_chosen_and_kept(look: Look, owned: Estate) -> None:
    look.sign_in(owned.owner)
    ground = "() => getComputedStyle(document.body).color + getComputedStyle(document.documentElement).backgroundColor"
    before = look.page.evaluate(ground)
    for _ in range(2):
        look.page.get_by_role("button", name="Theme").click()
    assert look.page.evaluate(ground) != before
    look.page.reload()
    look.settled()
    assert look.page.evaluate(ground) != before


def test_another_users_webhook_is_not_there(look: Look, service: Service, owned: Estate) -> None:
    look.sign_in(service.user(), f"#/webhooks/{owned.webhooks['orders']['id']}")
    expect(look.page.get_by_role("alert").first).to_contain_text("It was deleted, or belongs to another user.")


def test_a_token_that_does_not_hold_is_said_so(look: Look) -> None:
    look.page.goto(f"{look.base_url}/dashboard")
    look.page.get_by_text("Use a token instead").click()
    look.page.get_by_label("Token").fill("eyJhbGciOiJIUzI1NiJ9.e30.no")
    look.page.get_by_role("button", name="Sign in").click()
    expect(look.page.get_by_role("alert").first).to_contain_text("Not accepted")


def test_it_works_below_the_stage_of_an_api_without_a_domain(look: Look, service: Service, owned: Estate) -> None:
    """As on AWS: https://ID.execute-api.REGION.amazonaws.com/STAGE/dashboard."""
    stack = service.stack
    look.base_url = f"{stack.endpoint_url}/_aws/execute-api/{stack.outputs['ApiId']}/local"
    look.sign_in(owned.owner, "#/webhooks")
    expect(look.page.get_by_role("link", name="Orders to the warehouse")).to_be_visible()
