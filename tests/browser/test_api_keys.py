"""API keys on the dashboard, made, copied once and revoked; and who changed a webhook."""

from playwright.sync_api import expect

from tests.browser.look import Look
from tests.support.service import Service, User


def test_a_key_is_made_shown_once_and_revoked(look: Look, service: Service) -> None:
    user = service.user()
    look.sign_in(user, "#/api-keys")
    look.page.get_by_role("button", name="Make a key").first.click()
    look.page.get_by_label("Name", exact=True).fill("Nightly import")
    look.press("Make the key")
    expect(look.page.locator("dialog[open]")).to_contain_text("must not be empty")
    look.page.get_by_label("See webhooks and deliveries").check()
    look.press("Make the key")
    shown = look.page.get_by_role("dialog", name="Copy the key now")
    key = shown.locator("pre").inner_text()
    machine = User(service.http, user.user_id, {"Authorization": f"Bearer {key}"})
    assert machine.get("/webhooks").status_code == 200
    assert machine.post("/webhooks", {"name": "n", "url": "https://example.com/"}).status_code == 403
    look.press("I have copied it")
    row = look.page.locator("main tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Nightly import")
    expect(row).to_contain_text("webhooks:read")
    assert key not in look.page.content()
    look.press("Revoke Nightly import")
    look.page.get_by_role("dialog").get_by_role("button", name="Revoke", exact=True).click()
    look.toast("Revoked")
    expect(look.page.get_by_text("No API keys")).to_be_visible()


def test_who_may_make_no_keys_sees_no_page_of_them(look: Look, service: Service) -> None:
    look.sign_in(service.stack.token(service.user().user_id, scope="webhooks"))
    expect(look.page.get_by_role("link", name="API keys")).to_have_count(0)


def test_a_webhook_s_changes_say_who_made_them(look: Look, service: Service) -> None:
    user = service.user()
    webhook = user.register(service.receiver.url(service.path()), name="Watched")
    user.change(webhook["id"], description="new")
    look.sign_in(user, f"#/webhooks/{webhook['id']}?tab=changes")
    rows = look.page.locator("main tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("description")
    expect(rows.first).to_contain_text(str(user.user_id))
