"""The admin at 3 a.m.: who is noisy, and why, in three clicks."""

import time

from playwright.sync_api import expect

from tests.browser.look import Look
from tests.conftest import Figure
from tests.support.receiver import answer
from tests.support.service import Service, event, eventually


def test_an_admin_finds_the_noisy_tenant_and_its_cause_in_three_clicks(
    look: Look, service: Service, figure: Figure
) -> None:
    quiet, noisy = service.user(), service.user()
    quiet.register(service.receiver.url(service.path()), "record.created", name="Quiet")
    failing = service.path(answer(500, b"broken"))
    broken = noisy.register(service.receiver.url(failing), "record.created", name="Broken", max_retries=0)
    for user, amount in ((quiet, 2), (noisy, 8)):
        assert user.post("/events", {"events": [event() for _ in range(amount)]}).status_code == 202
    admin = service.user()
    token = service.stack.token(admin.user_id, scope="webhooks admin metrics:read")
    headers = {"Authorization": f"Bearer {token}"}

    def failures() -> dict[str, int]:
        found = service.http.get("/api/v1/tenants", headers=headers).json()["items"]
        return {each["user_id"]: each["failures"] for each in found}

    eventually(failures, lambda found: found.get(str(noisy.user_id), 0) >= 5, timeout=60)

    started, clicks = time.monotonic(), 0
    look.sign_in(token)
    tenants = look.page.get_by_role("region", name="Tenants").locator("tbody tr")
    row = tenants.filter(has=look.page.get_by_role("link", name=str(noisy.user_id), exact=True))
    expect(row).to_contain_text("http_500")
    row.get_by_role("link", name=str(noisy.user_id), exact=True).click()
    clicks += 1
    webhook = look.page.locator("main tbody tr")
    expect(webhook).to_have_count(1)
    expect(webhook).to_contain_text("http_500")
    webhook.get_by_role("link", name="Broken").click()
    clicks += 1
    expect(look.page.locator("h1")).to_have_text("Broken")
    look.page.get_by_role("tab", name="Deliveries").click()
    clicks += 1
    expect(look.page.locator("main tbody tr").first).to_contain_text("HTTP 500")
    assert look.page.url.split("#/webhooks/")[1].startswith(broken["id"])
    figure(f"an admin finds the noisy tenant and its cause: {clicks} clicks, {time.monotonic() - started:.1f} s")


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
