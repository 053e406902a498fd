"""What an admin sees of everybody."""

from playwright.sync_api import expect

from tests.browser.look import Look
from tests.support.service import Service


def test_tenants_are_sorted_by_any_column_and_the_order_stays_in_the_address(look: Look, service: Service) -> None:
    for name in ("One", "Two"):
        service.user().register(service.receiver.url(service.path()), name=name)
    look.sign_in(service.stack.token(service.user().user_id, scope="webhooks admin metrics:read"))
    table = look.page.get_by_role("region", name="Tenants")
    expect(table.locator("th[aria-sort]")).to_have_text("Failed attempts")
    look.press("Tenant")
    expect(table.locator("th[aria-sort]")).to_have_text("Tenant")
    names = table.locator("tbody tr td a.strong").all_inner_texts()
    assert names == sorted(names)
    look.page.reload()
    expect(table.locator("th[aria-sort]")).to_have_text("Tenant")
