"""Nothing typed is lost when the session ends, and a new tab is signed in."""

from playwright.sync_api import Route, expect

from tests.browser.look import Look
from tests.support.service import Service

PROBLEM = {"title": "Unauthorized", "detail": "a valid token is needed"}


def _ends(look: Look) -> None:
    """The service takes the credentials no longer, until somebody signs in again (which reads one webhook)."""
    signed_in = False

    def refuse(route: Route) -> None:
        nonlocal signed_in
        signed_in |= "limit=1" in route.request.url.split("?")[-1].split("&")
        if signed_in:
            route.continue_()
        else:
            route.fulfill(status=401, json=PROBLEM)

    look.page.route("**/api/v1/**", refuse)


def test_a_session_that_ends_while_saving_is_taken_up_in_place(look: Look, service: Service) -> None:
    user = service.user()
    webhook = user.register(service.receiver.url(service.path()), name="Before")
    look.sign_in(user, f"#/webhooks/{webhook['id']}/edit")
    look.page.get_by_label("Name", exact=True).fill("After")
    _ends(look)
    look.press("Save")
    again = look.page.get_by_role("dialog", name="Your session has ended")
    expect(again).to_be_visible()
    expect(again.get_by_label("User id")).to_have_value(str(user.user_id))
    again.get_by_role("button", name="Continue").click()
    look.toast("Saved")
    assert user.read(f"/webhooks/{webhook['id']}")["name"] == "After"


def test_declining_to_sign_in_loses_nothing_either(look: Look, service: Service) -> None:
    user = service.user()
    webhook = user.register(service.receiver.url(service.path()), name="Before")
    look.sign_in(user, f"#/webhooks/{webhook['id']}/edit")
    name = look.page.get_by_label("Name", exact=True)
    name.fill("After")
    _ends(look)
    look.press("Save")
    expect(look.page.get_by_role("dialog", name="Your session has ended")).to_be_visible()
    look.page.keyboard.press("Escape")
    expect(look.page.locator("dialog[open]")).to_have_count(0)
    expect(look.page.locator("div.form-error")).to_contain_text("valid token")
    expect(name).to_have_value("After")
    look.press("Save")
    look.press("Continue")
    look.toast("Saved")
    assert user.read(f"/webhooks/{webhook['id']}")["name"] == "After"


def test_a_page_that_is_only_looked_at_goes_on_as_well(look: Look, service: Service) -> None:
    user = service.user()
    user.register(service.receiver.url(service.path()), name="Mine")
    look.sign_in(user)
    _ends(look)
    look.page.get_by_role("link", name="Webhooks", exact=True).last.click()
    look.press("Continue")
    expect(look.page.get_by_role("link", name="Mine")).to_be_visible()


def test_a_new_tab_is_signed_in_and_signing_out_ends_all(look: Look, service: Service) -> None:
    user = service.user()
    user.register(service.receiver.url(service.path()), name="Mine")
    look.sign_in(user)
    tab = look.page.context.new_page()
    tab.goto(f"{look.base_url}/dashboard#/webhooks")
    expect(tab.get_by_role("link", name="Mine")).to_be_visible(timeout=40_000)
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_label("User id")).to_be_visible()
    expect(look.page.get_by_label("User id")).to_be_visible()
    tab.close()
