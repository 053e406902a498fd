"""Lists that a person searches, and that stay true while they are looked at."""

import re

from playwright.sync_api import Page, Route, expect

from tests.browser.estate import Estate
from tests.browser.look import Look
from tests.support.receiver import answer
from tests.support.service import Service, User, event, eventually


def _search(look: Look, words: str) -> None:
    look.page.get_by_role("searchbox", name="Search by id or name").fill(words)
    look.page.keyboard.press("Enter")


def _later(page: Page) -> None:
    """A minute has passed, as far as the page can tell."""
    page.clock.fast_forward(60_000)


def _failed(service: Service, user: User, amount: int) -> tuple[str, str]:
    """A webhook with as many dead letters, and its receiver's path, which works by now."""
    path = service.path(answer(500, b"broken"))
    webhook = user.register(service.receiver.url(path), "record.created", name="Broken", max_retries=0)
    user.post("/events", {"events": [event() for _ in range(amount)]})
    eventually(lambda: user.items("/dead-letters", is_processed=False), lambda found: len(found) == amount, timeout=60)
    service.receiver.script(path, answer(200))
    return webhook["id"], path


def test_whatever_is_pasted_is_found(look: Look, owned: Estate) -> None:
    look.sign_in(owned.owner)
    _search(look, owned.failed["id"])
    expect(look.page.locator("h1")).to_have_text("record.created")
    assert owned.failed["id"] in look.page.url
    _search(look, owned.event_id)
    expect(look.page.get_by_role("heading", name="Payload")).to_be_visible()
    _search(look, owned.webhooks["crm"]["id"])
    expect(look.page.locator("h1")).to_have_text("CRM sync")
    _search(look, "rec_2")
    expect(look.page.locator("h1")).to_have_text("Events")
    expect(look.page.locator("main tbody tr")).to_have_count(1)
    expect(look.page.locator("main tbody tr")).to_contain_text("rec_2")
    _search(look, "warehouse")
    expect(look.page.locator("h1")).to_have_text("Webhooks")
    expect(look.page.locator("main tbody tr")).to_have_count(1)
    _search(look, "dlv_0000000000000000000000000x")
    look.toast("No delivery")


def test_back_comes_back_to_the_filters_the_page_and_the_place(look: Look, service: Service) -> None:
    user = service.user()
    webhook = user.register(service.receiver.url(service.path()), "record.created", name="Busy")
    user.post("/events", {"events": [event() for _ in range(40)]})
    read = f"/webhooks/{webhook['id']}/deliveries"
    eventually(lambda: user.items(read, status="delivered"), lambda found: len(found) == 40, timeout=60)
    look.sign_in(user, "#/deliveries")
    look.page.get_by_label("Status", exact=True).select_option("delivered")
    look.page.get_by_label("Event type", exact=True).fill("record.created")
    look.page.get_by_label("Event type", exact=True).press("Tab")
    rows = look.page.locator("main tbody tr")
    expect(rows).to_have_count(25)
    look.page.get_by_role("link", name="Older").click()
    expect(rows).to_have_count(15)
    link = rows.nth(14).get_by_role("link", name="record.created")
    link.scroll_into_view_if_needed()
    down, at = look.page.evaluate("() => scrollY"), look.page.url
    assert down > 0
    link.click()
    expect(look.page.get_by_role("heading", name="Attempts")).to_be_visible()
    look.page.go_back()
    expect(rows).to_have_count(15)
    expect(look.page.get_by_label("Status", exact=True)).to_have_value("delivered")
    expect(look.page.get_by_label("Event type", exact=True)).to_have_value("record.created")
    assert look.page.url == at
    look.page.wait_for_function("down => Math.abs(scrollY - down) < 3", arg=down)
    look.page.go_back()
    expect(rows).to_have_count(25)
    look.page.reload()
    expect(look.page.get_by_label("Event type", exact=True)).to_have_value("record.created")


def test_a_list_and_a_delivery_change_without_a_reload(look: Look, service: Service) -> None:
    user = service.user()
    webhook_id, _ = _failed(service, user, 1)
    look.page.clock.install()
    look.sign_in(user, "#/deliveries")
    rows = look.page.locator("main tbody tr")
    expect(rows).to_have_count(1)
    published = event()
    user.post("/events", published)
    user.settled(webhook_id, published["id"])
    _later(look.page)
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("delivered")
    rows.last.get_by_role("link", name="record.created").click()
    expect(look.page.locator(".head .badge")).to_have_text("failed")
    look.press("Retry now")
    look.toast("Retry queued")
    expect(look.page.locator(".head .badge")).to_have_text("delivered", timeout=40_000)
    expect(look.page.locator(".timeline > li")).to_have_count(2)


def test_a_refresh_that_fails_keeps_what_is_there_and_says_since_when(look: Look, service: Service) -> None:
    user = service.user()
    _failed(service, user, 2)
    look.page.clock.install()
    look.sign_in(user, "#/deliveries")
    rows, stale = look.page.locator("main tbody tr"), look.page.locator(".stale")
    expect(rows).to_have_count(2)
    expect(stale).to_have_count(0)

    def away(route: Route) -> None:
        route.fulfill(status=500, json={"title": "Internal error", "detail": "The service failed at this."})

    look.page.route("**/api/v1/deliveries**", away)
    _later(look.page)
    expect(stale).to_contain_text(re.compile(r"Not updated since .*The service failed at this"))
    expect(rows).to_have_count(2)
    look.page.unroute("**/api/v1/deliveries**")
    _later(look.page)
    expect(stale).to_be_hidden()


def test_nothing_is_asked_for_in_a_hidden_tab(look: Look, owned: Estate) -> None:
    look.page.clock.install()
    look.sign_in(owned.owner, "#/deliveries")
    expect(look.page.locator("main tbody tr").first).to_be_visible()
    asked: list[str] = []
    look.page.on("request", lambda request: asked.append(request.url))
    look.page.evaluate("""() => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
      document.dispatchEvent(new Event("visibilitychange"));
    }""")
    for _ in range(5):
        _later(look.page)
    assert asked == []
    look.page.evaluate("() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); }")
    eventually(lambda: (look.page.wait_for_timeout(50), asked)[1])


def test_a_replay_survives_a_reload_and_is_cancelled(look: Look, service: Service) -> None:
    user = service.user()
    webhook_id, _ = _failed(service, user, 9)  # at ten the circuit opens, and the rest would wait
    job = user.post(f"/webhooks/{webhook_id}/dead-letters/bulk-replay", {"rate_per_second": 0.1}).json()
    look.sign_in(user, "#/dead-letters")
    expect(look.page.locator(".job")).to_contain_text("of 9 replayed", timeout=40_000)
    look.page.reload()
    expect(look.page.locator(".job")).to_contain_text("of 9 replayed", timeout=40_000)
    look.open("#/replays")
    row = look.page.locator("main tbody tr")
    expect(row).to_contain_text("Broken")
    look.press(f"Cancel {job['id']}")
    look.press("Cancel replay")
    expect(row).to_contain_text("cancelled")
    assert user.read(f"/replays/{job['id']}")["status"] == "cancelled"
    look.open("#/dead-letters")
    expect(look.page.locator(".job")).to_have_count(0)


def test_causes_of_several_webhooks_are_replayed_under_one_question(look: Look, service: Service) -> None:
    user = service.user()
    paths = [service.path(answer(500, b"broken")) for _ in range(2)]
    for number, path in enumerate(paths):
        user.register(service.receiver.url(path), "record.created", name=f"Broken {number}", max_retries=0)
    user.post("/events", {"events": [event() for _ in range(3)]})
    eventually(lambda: user.items("/dead-letters", is_processed=False), lambda found: len(found) == 6, timeout=60)
    for path in paths:
        service.receiver.script(path, answer(200))
    look.sign_in(user, "#/dead-letters")
    for number in range(2):
        look.page.get_by_role("checkbox", name=re.compile(f"^Select Broken {number}")).check()
    look.press("Replay 2 selected causes …")
    expect(look.front.get_by_text("2 webhooks", exact=True)).to_be_visible()
    expect(look.front.get_by_text(re.compile("^6 dead letters of 2 webhooks, in about"))).to_be_visible(timeout=30_000)
    look.front.get_by_label("Maximum per second").fill("0.5")
    look.press("Replay")
    expect(look.page.locator(".job")).to_contain_text("2 webhooks", timeout=40_000)
    look.page.reload()  # all of it is one job of the service's: nothing waits in the page
    expect(look.page.locator(".job")).to_contain_text("6 of 6 replayed", timeout=40_000)
    expect(look.page.get_by_text("No dead letters")).to_be_visible(timeout=40_000)
    (job,) = user.items("/replays")
    assert (job["status"], job["replayed"], job["webhooks"]) == ("completed", 6, 2)
    look.open("#/replays")
    expect(look.page.locator("main tbody tr")).to_contain_text("2 webhooks")


def test_all_of_one_cause_is_replayed_at_whatever_webhooks_have_it(look: Look, service: Service) -> None:
    user = service.user()
    paths = [service.path(answer(500, b"broken")) for _ in range(3)]
    made = [
        user.register(service.receiver.url(path), "record.created", name=f"Broken {number}", max_retries=0)
        for number, path in enumerate(paths)
    ]
    user.post("/events", {"events": [event() for _ in range(2)]})
    eventually(lambda: user.items("/dead-letters", is_processed=False), lambda found: len(found) == 6, timeout=60)
    for path in paths:
        service.receiver.script(path, answer(200))
    user.put(f"/webhooks/{made[2]['id']}", {"status": "inactive"})
    look.sign_in(user, "#/dead-letters")
    look.page.get_by_role("button", name=re.compile("^Replay all … of 3 webhooks")).click()
    expect(look.front.get_by_text(re.compile("^4 dead letters of 2 webhooks, in about"))).to_be_visible(timeout=30_000)
    expect(look.front.get_by_text(re.compile("2 dead letters of webhooks that are inactive"))).to_be_visible()
    look.press("Replay")
    expect(look.page.locator(".job")).to_contain_text("4 of 4 replayed, 2 left out", timeout=40_000)
    left = user.items("/dead-letters", is_processed=False)
    assert {each["webhook_id"] for each in left} == {made[2]["id"]}


def test_events_that_matched_nothing_are_found_and_a_delivery_opens_from_its_event(
    look: Look, service: Service
) -> None:
    user, path = service.user(), service.path()
    user.register(service.receiver.url(path), "record.created", name="Wants it")
    wanted, unwanted = event(resource_id="rec_wanted"), event(type="table.created", resource_id="rec_unwanted")
    user.post("/events", {"events": [wanted, unwanted]})
    eventually(lambda: user.items("/events"), lambda found: len(found) == 2)
    eventually(lambda: user.items("/deliveries", status="delivered"), lambda found: len(found) == 1)
    look.sign_in(user, "#/events")
    rows = look.page.locator("main tbody tr")
    expect(rows).to_have_count(2)
    look.page.get_by_label("Outcome", exact=True).select_option("no_match")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("rec_unwanted")
    look.page.get_by_label("Outcome", exact=True).select_option("")
    field = look.page.get_by_label("Event or resource id", exact=True)
    for pasted in ("rec_wanted", wanted["id"]):
        field.fill(pasted)
        field.press("Enter")
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("rec_wanted")
    at = look.page.url
    rows.get_by_role("link", name="delivered").click()
    expect(look.page.get_by_role("heading", name="Attempts")).to_be_visible()
    look.page.go_back()
    expect(rows).to_have_count(1)
    assert look.page.url == at
    rows.get_by_role("link", name="record.created").click()
    expect(look.page.get_by_role("heading", name="Payload")).to_be_visible()


def test_a_delivery_opens_beside_its_list(look: Look, service: Service) -> None:
    user = service.user()
    webhook_id, _ = _failed(service, user, 3)
    look.sign_in(user, "#/deliveries?status=failed")
    rows, panel = look.page.locator("main tbody tr"), look.page.get_by_role("complementary", name="Delivery")
    at = look.page.url
    listed = rows.locator("a.strong").evaluate_all(
        "all => all.map((one) => one.getAttribute('href').split('/').at(-1))"
    )
    look.page.keyboard.press("j")
    look.page.keyboard.press("Enter")
    expect(panel.get_by_role("heading", name="Attempts")).to_be_visible()
    expect(panel).to_contain_text(listed[0])
    expect(look.page.locator("h1")).to_have_text("Deliveries")
    look.page.keyboard.press("j")  # on in the list
    look.page.keyboard.press("Enter")
    expect(panel).to_contain_text(listed[1])
    look.page.reload()
    expect(panel).to_contain_text(listed[1])
    panel.get_by_role("button", name="Retry now").click()
    expect(panel.locator(".head .badge")).to_have_text("delivered", timeout=40_000)
    look.page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(look.page.get_by_label("Status", exact=True)).to_have_value("failed")
    rows.last.get_by_role("link", name="record.created").click()
    expect(panel).to_contain_text(listed[2])
    look.page.go_back()
    expect(panel).to_have_count(0)
    assert look.page.url == at
    look.page.set_viewport_size({"width": 800, "height": 860})  # no room for both
    rows.last.get_by_role("link", name="record.created").click()
    expect(look.page.locator("h1")).to_have_text("record.created")
    assert look.page.url.endswith(f"#/webhooks/{webhook_id}/deliveries/{listed[2]}")


def test_one_by_one_keeps_its_filters_and_what_is_selected(look: Look, service: Service) -> None:
    user = service.user()
    webhook_id, _ = _failed(service, user, 2)
    look.page.clock.install()
    look.sign_in(user, "#/dead-letters?view=list")
    rows = look.page.locator("main tbody tr")
    expect(rows).to_have_count(2)
    rows.first.get_by_role("checkbox").check()
    (letter, _) = user.items("/dead-letters")
    look.page.get_by_role("button", name=f"Replay {letter['id']}").click()
    user.settled(webhook_id, letter["event_id"])
    look.page.get_by_label("Reason or cause").fill("http_500")
    look.page.get_by_label("Reason or cause").press("Enter")
    expect(rows).to_have_count(0)  # http_500 is neither: a cause has a fingerprint
    look.page.get_by_label("Reason or cause").fill("")
    look.page.get_by_label("State", exact=True).select_option("Replayed")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(letter["id"])
    look.page.reload()
    expect(look.page.get_by_label("State", exact=True)).to_have_value("replayed")
    expect(rows).to_have_count(1)
    rows.get_by_role("link", name="Broken").click()
    expect(look.page.locator("h1")).to_have_text("Broken")
    look.page.go_back()
    expect(look.page.get_by_label("State", exact=True)).to_have_value("replayed")
    look.page.get_by_label("State", exact=True).select_option("Not replayed")
    expect(rows).to_have_count(1)
    user.post(f"/webhooks/{webhook_id}/dead-letters/bulk-replay")
    _later(look.page)  # it is looked at again
    expect(look.page.get_by_text("No dead letters")).to_be_visible(timeout=40_000)
