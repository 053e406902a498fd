"""A pull webhook in the dashboard: created without a URL, and read as its page says."""

from playwright.sync_api import expect

from tests.browser.look import Look
from tests.support.service import Service


def test_a_pull_webhook_is_created_without_a_url_and_its_page_says_how_to_read_it(look: Look, service: Service) -> None:
    user = service.user()
    look.sign_in(user)
    look.open("#/webhooks/new")
    page = look.page
    page.get_by_label("Name", exact=True).fill("Reader")
    page.get_by_label("Kind", exact=True).select_option("pull")
    expect(page.get_by_label("Endpoint URL")).to_be_hidden()
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Create webhook").click()
    page.get_by_role("button", name="I saved the secret").click()
    expect(page.get_by_role("heading", name="Read its events")).to_be_visible()
    expect(page.get_by_text("No consumers yet")).to_be_visible()
    (webhook,) = user.items("/webhooks")
    assert (webhook["kind"], webhook["url"]) == ("pull", None)
    path = f"/webhooks/{webhook['id']}"
    cursor = user.read(f"{path}/events")["next_cursor"]
    assert user.post(f"{path}/consumers/billing/commit", {"cursor": cursor}).status_code == 200
    page.reload()
    expect(page.get_by_role("cell", name="billing")).to_be_visible()
