"""Everything that can be done, done through the pages, and looked up in the API afterwards."""

import re
import time

from playwright.sync_api import expect

from tests.browser.look import Look
from tests.conftest import Figure
from tests.support.receiver import Behaviour, answer
from tests.support.service import Service, User, body_of, event, eventually
from webhooks.egress.transport.answer_head import MALFORMED


def test_from_nothing_to_a_received_test_event(look: Look, service: Service, figure: Figure) -> None:
    """The first visit: the guide, a mistake said at its field, the secret once, a test sent and seen to arrive."""
    user, path = service.user(), service.path()
    started = time.monotonic()
    look.sign_in(user)
    expect(look.page.get_by_text("Send a test event")).to_be_visible()
    look.page.get_by_role("link", name="Create the first webhook").click()
    look.settled()
    look.page.get_by_label("Name", exact=True).fill("First")
    look.page.get_by_label("Endpoint URL").fill("https://192.168.0.1/hook")
    look.press("Create webhook")
    expect(look.page.locator('[data-field="url"] .field-error')).not_to_be_empty()
    look.page.get_by_label("Endpoint URL").fill(service.receiver.url(path))
    look.page.get_by_label("record.*", exact=False).first.check()
    look.press("Create webhook")
    secret = look.front.locator("pre").inner_text()
    assert secret.startswith("whsec_")
    look.press("Copy")
    look.toast("Secret copied")
    assert look.page.evaluate("() => navigator.clipboard.readText()") == secret
    look.press("I saved the secret")
    look.settled()
    expect(look.page.locator("h1")).to_have_text("First")
    assert secret not in look.page.content()
    (webhook,) = user.items("/webhooks")
    (subscription,) = user.items(f"/webhooks/{webhook['id']}/subscriptions")
    assert subscription["event_type"] == "record.*"

    look.press("Send test")
    look.press("Send now")
    expect(look.front.get_by_text("Delivered", exact=True)).to_be_visible()
    expect(look.front.get_by_text("HTTP 200")).to_be_visible()
    (request,) = service.receiver.requests(path)
    assert body_of(request)["type"] == "webhook.test"
    look.front.get_by_role("link", name="Show the delivery").click()
    expect(look.page.locator(".head .badge")).to_have_text(["delivered", "test"])
    expect(look.page.get_by_role("button", name="Send again")).to_have_count(0)
    figure(f"first visit, from sign-in to a received test event: {time.monotonic() - started:.1f} s of the browser's")


def test_editing_pausing_resuming_rotating_and_deleting(look: Look, service: Service) -> None:
    user = service.user()
    webhook = user.register(
        service.receiver.url(service.path()), name="Before", headers={"Authorization": "Bearer kept-secret"}
    )
    read = f"/webhooks/{webhook['id']}"
    look.sign_in(user, f"#{read}")
    look.page.get_by_role("link", name="Edit").click()
    look.settled()
    look.page.get_by_label("Name", exact=True).fill("After")
    look.page.get_by_label("Retries").fill("99")
    look.press("Save")
    expect(look.page.locator('[data-field="max_retries"] .field-error')).not_to_be_empty()
    look.page.get_by_label("Retries").fill("3")
    look.press("Save")
    look.toast("Saved")
    changed = user.read(read)
    assert (changed["name"], changed["max_retries"]) == ("After", 3)
    look.settled()

    look.press("Pause")
    look.toast("Paused")
    expect(look.page.get_by_role("button", name="Resume")).to_be_visible()
    assert user.read(read)["status"] == "paused"
    look.press("Resume")
    expect(look.page.get_by_role("button", name="Pause")).to_be_visible()
    assert user.read(read)["status"] == "active"

    look.settled()
    look.press("Rotate secret")
    look.press("Create new secret")
    expect(look.front.locator("pre")).to_have_text(re.compile("^whsec_"))
    assert look.front.locator("pre").inner_text() != webhook["secret"]
    look.press("I saved the secret")
    assert user.read(read)["previous_secret_expires_at"]
    look.settled()

    look.press("Delete")
    verb = look.front.get_by_role("button", name="Delete webhook")
    expect(verb).to_be_disabled()
    look.front.get_by_role("textbox").fill("After")
    verb.click()
    look.toast("Deleted")
    assert user.get(read).status_code == 404


def test_subscribing_with_filters_tried_out_while_they_are_written(look: Look, service: Service) -> None:
    user = service.user()
    webhook = user.register(service.receiver.url(service.path()), "table.created")
    look.sign_in(user, f"#/webhooks/{webhook['id']}?tab=subscriptions")
    look.press("Add a subscription")
    look.front.get_by_label("Event type").fill("record.created")
    look.press("A sample")
    look.press("Add a rule")
    look.front.get_by_label("Field").fill("amount")
    look.front.get_by_label("Operator", exact=True).select_option("greater_than")
    look.front.get_by_label("Value", exact=True).fill("1000")
    expect(look.front.locator(".trials").get_by_text("sent", exact=True)).to_be_visible()
    look.front.get_by_label("Value", exact=True).fill("9000")
    expect(look.front.locator(".trials").get_by_text("not sent")).to_be_visible()
    expect(look.front.locator(".trials")).to_contain_text("amount")
    look.front.get_by_label("Field").fill("rows")
    look.front.get_by_label("Operator", exact=True).select_option("any")
    look.front.get_by_label("Name in the element").fill("name")
    look.front.get_by_label("Element value").fill("ann")
    look.front.get_by_label("Ignore case").last.check()
    expect(look.front.locator(".trials")).to_contain_text('rows any where name equals "ann" (ignoring case)')
    look.front.get_by_label("Field").fill("amount")
    look.front.get_by_label("Operator", exact=True).select_option("greater_than")
    look.press("JSON")
    assert "greater_than" in look.front.get_by_label("Filters as JSON").input_value()
    look.press("Subscribe")
    look.toast("Subscribed")
    found = user.items(f"/webhooks/{webhook['id']}/subscriptions")
    (made,) = [each for each in found if each["event_type"] == "record.created"]
    assert made["filters"]["conditions"]["rules"][0]["value"] == 9000

    look.page.get_by_role("button", name="Change record.created").click()
    look.front.get_by_label("Active").uncheck()
    look.press("Save")
    look.toast("Saved")
    read = f"/webhooks/{webhook['id']}/subscriptions/{made['id']}"
    assert user.read(read)["is_active"] is False
    look.page.get_by_role("button", name="Delete record.created").click()
    look.press("Delete")
    look.toast("Deleted")
    assert user.get(read).status_code == 404


def test_publishing_an_event_and_seeing_what_became_of_it(look: Look, service: Service) -> None:
    user, path = service.user(), service.path()
    user.register(service.receiver.url(path), "record.created", name="Wants it")
    user.register(service.receiver.url(service.path()), "table.created", name="Does not")
    look.sign_in(user, "#/events")
    look.press("Publish an event")
    look.press("Publish")
    expect(look.page.get_by_role("row", name="Wants it").get_by_text("delivered")).to_be_visible(timeout=40_000)
    look.page.get_by_text("Not queued for 1 webhook").click()
    expect(look.page.get_by_role("row", name="Does not").get_by_text("not queued")).to_be_visible()
    assert len(service.receiver.requests(path)) == 1
    look.page.get_by_role("link", name="Show the delivery").click()
    expect(look.page.locator("h1")).to_have_text("record.created")
    expect(look.page.locator(".timeline")).to_contain_text("delivered")


def _with_letters(service: Service, user: User, count: int) -> tuple[str, str]:
    """A webhook that failed for good, and its receiver's path."""
    path = service.path(answer(500, b"broken"))
    webhook = user.register(service.receiver.url(path), "record.created", name="Broken", max_retries=0)
    user.post("/events", {"events": [event() for _ in range(count)]})
    eventually(lambda: user.items("/dead-letters", is_processed=False), lambda found: len(found) == count, timeout=60)
    service.receiver.script(path, answer(200))
    return webhook["id"], path


def test_retrying_a_delivery_and_taking_it_along_as_curl(look: Look, service: Service) -> None:
    user = service.user()
    webhook_id, path = _with_letters(service, user, 1)
    (delivery,) = user.items(f"/webhooks/{webhook_id}/deliveries")
    look.sign_in(user, f"#/webhooks/{webhook_id}?tab=deliveries")
    look.page.get_by_label("Status", exact=True).select_option("delivered")
    expect(look.page.get_by_text("No matching")).to_be_visible()
    look.page.get_by_label("Status", exact=True).select_option("failed")
    look.page.get_by_role("link", name="record.created").click()
    look.settled()
    expect(look.page.locator(".timeline")).to_contain_text("broken")
    look.press("Copy as curl")
    look.toast("Command copied")
    command = look.page.evaluate("() => navigator.clipboard.readText()")
    assert command.startswith("curl -X POST")
    assert path in command
    look.press("Retry now")
    look.toast("Retry queued")
    eventually(lambda: user.delivery(webhook_id, delivery["id"]), lambda one: one["status"] == "delivered")


def test_a_delivery_that_waits_shows_what_was_odd_and_that_its_subscription_is_gone(
    look: Look, service: Service
) -> None:
    user = service.user()
    odd = b"HTTP/1.1 503 Later\r\nRetry-After: 7200\r\nContent-Length: 6\r\n\r\nM\xc3\xbcller"
    webhook = user.register(service.receiver.url(service.path(Behaviour(raw=odd))), "record.created")
    read = f"/webhooks/{webhook['id']}"
    user.post("/events", event())
    (delivery,) = eventually(
        lambda: user.items(f"{read}/deliveries"), lambda found: [each["status"] for each in found] == ["retrying"]
    )
    (subscription,) = user.items(f"{read}/subscriptions")
    look.sign_in(user, f"#{read}/deliveries/{delivery['id']}")
    expect(look.page.locator(".timeline")).to_contain_text(MALFORMED)
    gone = look.page.get_by_text("The webhook has no active subscription to this type now.")
    expect(gone).to_have_count(0)
    assert user.delete(f"{read}/subscriptions/{subscription['id']}").status_code == 204
    look.page.reload()
    expect(gone).to_be_visible()


def test_replaying_one_some_and_all_of_a_cause(look: Look, service: Service) -> None:
    user = service.user()
    webhook_id, path = _with_letters(service, user, 6)
    before = len(service.receiver.requests(path))
    look.sign_in(user, "#/dead-letters?view=list")
    look.page.get_by_role("button", name=re.compile("^Replay dlv_")).first.click()
    look.toast("Replay queued")
    boxes = look.page.get_by_role("checkbox", name=re.compile("^Select"))
    for box in (boxes.nth(2), boxes.nth(3)):
        box.check()
    look.press("Replay 2 selected dead letters …")
    expect(look.front.get_by_text("2 dead letters, in about")).to_be_visible()
    look.press("Replay")
    expect(look.page.locator(".job")).to_contain_text("2 of 2 replayed", timeout=40_000)

    look.open("#/dead-letters")
    row = look.page.get_by_role("listitem").filter(has_text="Broken")
    expect(row).to_contain_text("3 dead letters")
    row.get_by_role("button", name="Replay all").click()
    expect(look.front.get_by_text(re.compile("^3 dead letters, in about"))).to_be_visible(timeout=30_000)
    look.press("Replay")
    expect(look.page.locator(".job")).to_contain_text("3 of 3 replayed", timeout=40_000)
    expect(look.page.get_by_text("No dead letters")).to_be_visible(timeout=40_000)

    def arrived() -> int:
        service.run_release()  # failures opened the circuit: what is replayed may wait for its turn
        return len(service.receiver.requests(path))

    eventually(arrived, lambda seen: seen == before + 6, timeout=90, every=1)
    read = f"/webhooks/{webhook_id}/deliveries"
    eventually(lambda: {each["status"] for each in user.items(read)}, lambda found: found == {"delivered"})


def test_the_signature_check_knows_right_from_wrong(look: Look, service: Service) -> None:
    user, path = service.user(), service.path()
    webhook = user.register(service.receiver.url(path))
    published = event()
    user.post("/events", published)
    delivery = user.settled(webhook["id"], published["id"])
    (request,) = service.receiver.requests(path)
    look.sign_in(user, f"#/webhooks/{webhook['id']}/deliveries/{delivery['id']}")
    look.page.get_by_text("Check a signature").click()
    for label, value in (
        ("Secret or public key", webhook["secret"]),
        ("webhook-id", request.header("webhook-id")),
        ("Timestamp", request.header("webhook-timestamp")),
        ("Signature as received", request.header("webhook-signature")),
        ("Body as received", request.body.decode()),
    ):
        look.page.get_by_label(label, exact=True).fill(str(value))
    look.press("Check")
    expect(look.page.get_by_text("Signature valid")).to_be_visible()
    look.page.get_by_label("Signature as received").fill(str(request.header("x-pyairtable-signature")))
    look.press("Check")
    expect(look.page.get_by_text("Signature valid")).to_be_visible()
    look.page.get_by_label("Body as received").fill(request.body.decode() + " ")
    look.press("Check")
    expect(look.page.get_by_text("Signature not valid")).to_be_visible()


def test_static_addresses_are_asked_for_and_given_up(look: Look, service: Service) -> None:
    user = service.user()
    webhook = user.register(service.receiver.url(service.path()))
    read = f"/webhooks/{webhook['id']}"
    look.sign_in(user, f"#{read}/edit")
    for wanted in (True, False):
        box = look.page.get_by_label("Static addresses")
        expect(box).to_be_checked(checked=not wanted)
        box.set_checked(wanted)
        look.press("Save")
        look.toast("Saved")
        assert user.read(read)["static_egress"] is wanted
        look.open(f"#{read}/edit")


def test_a_public_key_is_asked_for_shown_and_checks_signatures(look: Look, service: Service) -> None:
    user, path = service.user(), service.path()
    webhook = user.register(service.receiver.url(path))
    read = f"/webhooks/{webhook['id']}"
    look.sign_in(user, f"#{read}/edit")
    look.page.get_by_label("Sign with ed25519 too").check()
    look.press("Save")
    look.toast("Saved")
    look.settled()
    look.page.get_by_role("tab", name="Settings").click()
    (key,) = user.read(read)["public_keys"]
    expect(look.page.get_by_label("Public key", exact=True)).to_have_text(key["key"])
    expect(look.page.get_by_text(f'"user_id": {user.user_id}')).to_be_visible()
    expect(look.page.get_by_text("/.well-known/jwks.json")).to_be_visible()
    published = event(user_id=user.user_id)
    user.post("/events", published)
    delivery = user.settled(webhook["id"], published["id"])
    (request,) = service.receiver.requests(path)
    look.open(f"#{read}/deliveries/{delivery['id']}")
    look.page.get_by_text("Check a signature").click()
    for label, value in (
        ("Secret or public key", key["key"]),
        ("webhook-id", request.header("webhook-id")),
        ("Timestamp", request.header("webhook-timestamp")),
        ("Signature as received", request.header("webhook-signature")),
        ("Body as received", request.body.decode()),
    ):
        look.page.get_by_label(label, exact=True).fill(str(value))
    look.press("Check")
    expect(look.page.get_by_text("Signature valid")).to_be_visible()
    look.page.get_by_label("Body as received").fill(request.body.decode() + " ")
    look.press("Check")
    expect(look.page.get_by_text("Signature not valid")).to_be_visible()
    look.page.get_by_label("Secret or public key").fill("whpk_short")
    look.press("Check")
    expect(look.page.locator('[data-field="secret"] .field-error')).to_contain_text("32 bytes")


def test_search_finds_a_webhook_by_its_words(look: Look, service: Service) -> None:
    user = service.user()
    for name in ("Alpha shop", "Beta shop", "Gamma"):
        user.register(service.receiver.url(service.path()), name=name)
    look.sign_in(user, "#/webhooks")
    look.page.get_by_label("Search webhooks").fill("shop beta")
    expect(look.page.locator("tbody tr")).to_have_count(1)
    look.page.get_by_label("Search webhooks").fill("nothing like it")
    expect(look.page.get_by_text("No matching")).to_be_visible()
    look.press("Show all")
    expect(look.page.locator("tbody tr")).to_have_count(3)


def test_recovering_what_an_inactive_webhook_missed(look: Look, service: Service) -> None:
    user, path = service.user(), service.path()
    webhook = user.register(service.receiver.url(path), "record.created", name="Away", status="inactive")
    missed = [event() for _ in range(3)]
    user.post("/events", {"events": missed})
    for each in missed:
        assert user.outcome(each["id"], webhook["id"])["status"] == "not_queued"
    user.change(webhook["id"], status="active")
    look.sign_in(user, f"#/webhooks/{webhook['id']}?tab=deliveries")
    look.press("Recover …")
    expect(look.front.get_by_text(re.compile("^3 deliveries, in about"))).to_be_visible(timeout=30_000)
    look.press("Recover")
    expect(look.page.locator(".job")).to_contain_text("3 of 3 replayed", timeout=40_000)
    assert len(service.receiver.wait_for(path, 3, timeout=30)) == 3


def test_an_event_s_page_says_how_its_payload_is_kept(look: Look, service: Service) -> None:
    user, path = service.user(), service.path()
    webhook = user.register(service.receiver.url(path), "record.*", name="Everything")
    data = {"fields": {"name": "Ann", "email": "ann@example.com"}}
    redacted, dropped = event(data=data, redact=["email"], retention_days=30), event(data=data, retention_days=0)
    assert user.post("/events", {"events": [redacted, dropped]}).status_code == 202
    for each in (redacted, dropped):
        user.settled(webhook["id"], each["id"])
    assert [body_of(request)["data"] for request in service.receiver.requests(path)] == [data, data]
    page = look.page

    look.sign_in(user, f"#/events/{redacted['id']}")
    expect(page.get_by_text("30 days", exact=True)).to_be_visible()
    expect(page.get_by_text("Receivers got these fields, and their values are not kept: email")).to_be_visible()
    expect(page.locator("pre", has_text='"email": "redacted"')).to_contain_text("Ann")

    look.open(f"#/events/{dropped['id']}")
    expect(page.get_by_text("until delivered", exact=True)).to_be_visible()
    expect(page.get_by_text("It is no longer kept.")).to_be_visible()
    expect(page.get_by_text("values are not kept")).to_have_count(0)
