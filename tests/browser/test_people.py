"""Three people and what they come for, from sign-in to its end, with few webhooks around and with a thousand."""

import random
import re
import string
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from tests.browser.estate import Crowd
from tests.browser.look import Look
from tests.conftest import Figure
from tests.support import operations
from tests.support.receiver import answer
from tests.support.service import Document, Service, event, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]
ADMIN = "webhooks admin metrics:read"


@contextmanager
def timed(figure: Figure, who: str, around: Crowd) -> Iterator[list[str]]:
    """Prints how long it took, with the clicks that were noted."""
    clicks: list[str] = []
    started = time.monotonic()
    yield clicks
    figure(f"{who}, {around}: {time.monotonic() - started:.1f} s{f', {len(clicks)} clicks' if clicks else ''}")


def test_a_developer_verifies_a_signature_and_mends_a_failure(
    look: Look, service: Service, crowd: Crowd, figure: Figure
) -> None:
    path = service.path()
    with timed(figure, "a developer, from sign-in to a verified signature and a mended failure", crowd):
        look.sign_in(crowd.owner, "#/webhooks")
        look.page.get_by_role("link", name="New webhook").click()
        look.settled()
        look.page.get_by_label("Name", exact=True).fill("Mine")
        look.page.get_by_label("Endpoint URL").fill(service.receiver.url(path))
        look.page.get_by_label("table.created", exact=False).first.check()
        look.press("Create webhook")
        look.press("Copy")
        look.toast("Secret copied")
        secret = look.page.evaluate("() => navigator.clipboard.readText()")
        look.press("I saved the secret")
        expect(look.page.locator("h1")).to_have_text("Mine")

        look.press("Send test")
        look.press("Send now")
        look.front.get_by_role("link", name="Show the delivery").click()
        (request,) = service.receiver.requests(path)  # what a developer sees in the receiver's log
        look.page.get_by_text("Check a signature").click()
        look.page.get_by_label("Secret or public key").fill(secret)
        look.page.get_by_label("Signature as received").fill(str(request.header("webhook-signature")))
        expect(look.page.get_by_label("webhook-id", exact=True)).to_have_value(str(request.header("webhook-id")))
        look.press("Check")
        expect(look.page.get_by_text("Signature valid")).to_be_visible()

        service.receiver.script(path, answer(500, b"no such table"))
        look.open("#/events")
        look.press("Publish an event")
        expect(look.page.locator("dialog[open]")).to_be_visible()
        look.front.get_by_label("Event type").select_option("table.created")
        look.press("Publish")
        row = look.page.get_by_role("row").filter(has_text="Mine")
        expect(row).to_contain_text("retrying", timeout=60_000)
        row.get_by_role("link", name="Show the delivery").click()
        expect(look.page.locator(".timeline > li").first).to_contain_text("HTTP 500")
        expect(look.page.get_by_text("no such table").first).to_be_visible()
        service.receiver.script(path, answer(200))
        look.press("Retry now")
        expect(look.page.locator(".head .badge")).to_have_text("delivered", timeout=60_000)


def test_an_admin_finds_the_noisy_tenant_and_its_cause_in_three_clicks(
    look: Look, service: Service, crowd: Crowd, figure: Figure
) -> None:
    noisy = service.user()
    broken = noisy.register(
        service.receiver.url(service.path(answer(500, b"broken"))), "record.created", name="Broken", max_retries=0
    )
    token = service.stack.token(service.user().user_id, scope=ADMIN)
    assert noisy.post("/events", {"events": [event() for _ in range(8)]}).status_code == 202
    eventually(lambda: _tenants(service, token).get(noisy.user_id, 0) >= 5, timeout=60)

    with timed(figure, "an admin finds the noisy tenant and its cause", crowd) as clicks:
        look.sign_in(token)
        name = str(noisy.user_id)
        tenants = look.page.get_by_role("region", name="Tenants").locator("tbody tr")
        row = tenants.filter(has=look.page.get_by_role("link", name=name, exact=True))
        expect(row).to_contain_text("http_500")
        row.get_by_role("link", name=name, exact=True).click()
        clicks.append("the tenant")
        webhook = look.page.locator("main tbody tr")
        expect(webhook).to_have_count(1)
        expect(webhook).to_contain_text("http_500")
        webhook.get_by_role("link", name="Broken").click()
        clicks.append("its webhook")
        expect(look.page.locator("h1")).to_have_text("Broken")
        look.page.get_by_role("tab", name="Deliveries").click()
        clicks.append("its deliveries")
        expect(look.page.locator("main tbody tr").first).to_contain_text("HTTP 500")
    assert look.page.url.split("#/webhooks/")[1].startswith(broken["id"])
    assert len(clicks) <= 3


def _tenants(service: Service, token: str) -> dict[int, int]:
    """Failed attempts by tenant."""
    headers = {"Authorization": f"Bearer {token}"}
    return {
        int(each["user_id"]): each["failures"]
        for each in service.http.get("/api/v1/tenants", headers=headers).json()["items"]
    }


def test_the_one_on_call_finds_what_the_runbook_says(
    look: Look, service: Service, crowd: Crowd, figure: Figure
) -> None:
    night = Night(service)
    with timed(figure, "the one on call, five alarms by the runbook", crowd):
        look.sign_in(service.stack.token(night.admin.user_id, scope=ADMIN))
        for alarm in (
            night.attempts_fail,
            night.open_circuits,
            night.waiting_deliveries,
            night.ingest_dead_letter,
            night.deliveries_lost_fast,
        ):
            said = runbook(re.sub(r"(^|_)(\w)", lambda found: found[2].upper(), alarm.__name__))
            assert alarm(look) == named(said), said


def runbook(alarm: str) -> str:
    """What the page says to do first."""
    page = operations.PAGE.read_text(encoding="utf-8")
    (section,) = re.findall(rf"^#### {alarm}\n(.*?)(?=^#)", page, re.MULTILINE | re.DOTALL)
    return section.split("**First:**")[1]


def named(said: str) -> set[str]:
    """The pages, calls, words of code and links in it."""
    links = re.findall(r"\]\((#[\w-]+)\)", said)
    headings = {
        f"#{re.sub('[^a-z0-9 -]', '', each.lower()).replace(' ', '-')}"
        for each in re.findall(r"^#+ (.*)$", operations.PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert set(links) <= headings
    return {*links, *re.findall(r"`([^`]+)`", said), *re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", said)}


def _go(look: Look, page: str) -> None:
    look.page.get_by_role("navigation", name="Pages").get_by_role("link", name=page, exact=True).click()
    expect(look.page.locator("h1")).to_have_text(page)


class Night:
    """Two webhooks of one owner that fail for one cause until their circuits open, and an event that is none."""

    def __init__(self, service: Service) -> None:
        self.service, self.owner = service, service.user()
        self.admin = service.bearer(scope=ADMIN)
        self.body = "".join(random.choices(string.ascii_lowercase, k=16)).encode()  # a cause of its own
        self.webhooks = [
            self.owner.register(
                service.receiver.url(service.path(answer(500, self.body))), "record.created", name=name, max_retries=0
            )
            for name in ("First", "Second")
        ]
        self._publish()
        service.client("sqs").send_message(QueueUrl=service.stack.outputs["IngestQueueUrl"], MessageBody="none")
        self.cause = eventually(self._cause)
        eventually(self._all_open, timeout=60, every=3)
        eventually(self._waiting, timeout=60)  # the stream may lag behind

    def _publish(self) -> None:
        self.owner.post("/events", {"events": [event() for _ in range(12)]})

    def _all_open(self) -> bool:
        """Until both circuits are open, more fails; what comes last waits. Of failures at once, not each is counted."""
        self._publish()
        return all(each["open"] for each in self._healths())

    def _cause(self) -> str | None:
        found = self.owner.read("/dead-letters/groups")["items"]
        return found[0]["cause"] if len(found) == 2 else None

    def _healths(self) -> list[Document]:
        healths = [self.owner.read(f"/webhooks/{each['id']}/health") for each in self.webhooks]
        return [each | {"open": each["circuit"]["state"] != "closed"} for each in healths]

    def _waiting(self) -> Document | None:
        assert "webhook_parked_deliveries" in self.service.http.get("/metrics", headers=dict(self.admin.headers)).text
        tenants = self.admin.read("/tenants")["items"]
        return next((each["waiting"] for each in tenants if str(each["user_id"]) == str(self.owner.user_id)), None)

    def attempts_fail(self, look: Look) -> set[str]:
        _go(look, "Dead letters")
        rows = look.page.locator("main li.row").filter(has_text=self.cause)
        expect(rows).to_have_count(3)  # of each webhook, and of both
        expect(rows.filter(has_text=str(self.owner.user_id))).to_have_count(2)
        groups = self.admin.read("/dead-letters/groups")["items"]
        assert len([each for each in groups if each["cause"] == self.cause]) == 2
        lines = [line for line in self.service.stack.logs() if "attempt failed" in line and '"reason"' in line]
        assert any(self.webhooks[0]["id"] in line and "http_500" in line for line in lines)
        return {
            "Dead letters", "GET /api/v1/dead-letters/groups", "attempt failed", "reason",
            "unreachable",
        }  # fmt: skip

    def open_circuits(self, look: Look) -> set[str]:
        _go(look, "Overview")
        rows = look.page.get_by_role("region", name="Webhooks with problems").locator("tbody tr")
        mine = rows.filter(has_text=str(self.owner.user_id))
        expect(mine).to_have_count(2)
        expect(mine.first).to_contain_text("http_500")
        expect(mine.first.locator('td[data-label="Failing since"] time')).to_be_visible()
        mine.first.get_by_role("link").first.click()
        expect(look.page.locator(".head")).to_contain_text(self._healths()[0]["explanation"])
        return {"Overview", "Webhooks with problems", "GET /api/v1/webhooks/:id/health"}

    def waiting_deliveries(self, look: Look) -> set[str]:
        _go(look, "Service")
        card = look.page.locator("section.card").filter(has=look.page.get_by_role("heading", name="Waiting now"))
        expect(card).to_contain_text("circuit")
        _go(look, "Overview")
        tenant = look.page.get_by_role("region", name="Tenants").locator("tbody tr")
        waiting = tenant.filter(has_text=str(self.owner.user_id)).locator('td[data-label="Waiting"]')
        expect(waiting).to_have_attribute("title", re.compile("circuit"))
        return {"Service", "Waiting now", "webhook_parked_deliveries", "Overview"}

    def ingest_dead_letter(self, look: Look) -> set[str]:
        _go(look, "Service")
        row = look.page.get_by_role("row").filter(has_text="ingest dead letter")
        expect(row.locator("td").nth(1)).not_to_have_text("0", timeout=60_000)
        assert "--message-attribute-names All" in operations.block("# look, without taking away")
        (message, *_) = self.service.client("sqs").receive_message(
            QueueUrl=self.service.stack.outputs["IngestDeadLetterQueueUrl"],
            MessageAttributeNames=["All"],
            VisibilityTimeout=1,
        )["Messages"]
        assert message["MessageAttributes"]["reason"]["StringValue"]
        return {"#queues-that-should-be-empty", "reason"}

    def deliveries_lost_fast(self, look: Look) -> set[str]:
        """Sent again, as the section says that it leads to: by cause, for all webhooks that have it."""
        assert '"dry_run": true' in operations.block("POST /dead-letters/bulk-replay")
        _go(look, "Dead letters")
        look.page.get_by_label("Owner", exact=True).fill(str(self.owner.user_id))
        look.page.get_by_label("Owner", exact=True).press("Enter")
        look.page.get_by_role("button", name=f"Replay all … of 2 webhooks: {self.cause}").click()
        expect(look.front.get_by_text(re.compile(r"dead letters of 2 webhooks, in about"))).to_be_visible()
        look.press("Cancel")
        return {"#deploying", "#replay-across-webhooks"}
