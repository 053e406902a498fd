"""Pages that list or count, left open while everything changes: in the end they say what the API answers.

LEFT_OPEN=600 leaves them open for ten minutes (`make left-open`).
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.look import Look
from tests.conftest import Figure
from tests.support.receiver import answer
from tests.support.service import Document, Service, User, event, eventually

DRAWN = "() => [...document.querySelectorAll('.plot')].every((each) => each.firstChild)"
SECONDS = float(os.environ.get("LEFT_OPEN", "4"))
A_STEP = 1.0
REFRESHED = 90.0  # the slowest page asks every 15 s; the rest is for a busy machine
# What is on the page, with times as such: "5 sec. ago" is another text a second later.
TEXT = """() => {
  const copy = document.querySelector("main").cloneNode(true);
  copy.querySelectorAll(".head [role=status]").forEach((one) => one.remove());
  copy.querySelectorAll("time").forEach((one) => (one.textContent = one.dateTime));
  copy.querySelectorAll("*").forEach((one) => one.append(" "));
  return copy.textContent.replace(/\\s+/g, " ");
}"""
Says = Callable[[User], list[str]]  # what the API answers has to be on the page


def ids(path: str, **query: object) -> Says:
    """The ids of a list's first page."""
    return lambda user: [each["id"] for each in user.read(path, **query)["items"]]


@pytest.mark.slow
@pytest.mark.timeout(600 + SECONDS)
def test_pages_left_open_say_in_the_end_what_the_api_answers(
    browser: Browser, service: Service, figure: Figure
) -> None:
    user = service.user()
    moving = Moving(service, user)
    admin = service.bearer(scope="webhooks admin metrics:read")
    failing = moving.failing["id"]
    at = f"#/webhooks/{failing}"
    lists: dict[str, Says] = {
        "#/": lambda user: [f"{user.read('/overview')['totals']['attempts']:,} attempts"],
        "#/webhooks": ids("/webhooks"),
        at: lambda user: [f"{user.read(f'/webhooks/{failing}/metrics')['totals']['attempts']:,} attempts"],
        f"{at}?tab=subscriptions": lambda user: [
            each["event_type"] for each in user.read(f"/webhooks/{failing}/subscriptions")["items"]
        ],
        f"{at}?tab=deliveries": ids(f"/webhooks/{failing}/deliveries", limit=30),
        f"{at}?tab=changes": lambda user: [
            each["target"][-4:] for each in user.read("/audit", webhook_id=failing, limit=25)["items"]
        ],
        f"#/webhooks/{moving.working['id']}?tab=settings": lambda _: ["It works."],
        f"{at}/deliveries/{moving.dead['id']}": lambda _: ["delivered"],
        "#/deliveries": ids("/deliveries", limit=25),
        "#/events": ids("/events", limit=25),
        f"#/events/{moving.dead['event_id']}": lambda _: ["delivered"],
        "#/dead-letters": lambda user: [
            f"{each['dead_letters']} dead letter" for each in user.read("/dead-letters/groups")["items"]
        ],
        "#/dead-letters?view=list": ids("/dead-letters", is_processed=False, limit=25),
        "#/replays": ids("/replays"),
        "#/api-keys": ids("/api-keys"),
    }
    of_all: dict[str, Says] = {
        "#/": lambda admin: [each["user_id"] for each in admin.read("/tenants")["items"][:50]],
        "#/deliveries": ids("/deliveries", status="failed", limit=25),
        "#/service": lambda _: [],
    }
    with ExitStack() as open_pages:
        own = open_pages.enter_context(signed_in(browser, service, user))
        all_of_them = open_pages.enter_context(signed_in(browser, service, admin))
        left = [Left.open(own, each, says, user) for each, says in lists.items()]
        left += [Left.open(all_of_them, each, says, admin) for each, says in of_all.items()]
        before = {each: each.text() for each in left}

        started = time.monotonic()
        steps = moving.on(SECONDS)
        still(service, user, admin)
        lasted = time.monotonic() - started

        for each in left:
            eventually(
                lambda each=each: (each.now(), each.text()), lambda both: both[0] == both[1], timeout=REFRESHED, every=1
            )
            html = each.look.page.locator("main").inner_html()
            assert [said for said in each.says(each.user) if said not in html] == [], each.at
            assert each.text() != before[each], f"{each.at}: nothing has changed, so nothing was tried"
            assert each.look.faults == []
    figure(f"{len(left)} pages left open for {lasted:.0f} s of load in {steps} steps say what the API answers")


class Moving:
    """A user whose webhooks, deliveries and all else are in motion."""

    def __init__(self, service: Service, user: User) -> None:
        self.service, self.user = service, user
        self.path = service.path(answer(500, b"broken"))
        self.failing = user.register(
            service.receiver.url(self.path), "record.created", name="Failing", max_retries=0, rate_limit_rps=50
        )
        self.working = user.register(service.receiver.url(service.path()), "*", name="Working")
        self.key = f"/webhooks/{self.failing['id']}"
        published = event()
        user.post("/events", published)
        self.dead = user.settled(self.failing["id"], published["id"], "failed")

    def on(self, seconds: float) -> int:
        """Moves for so long, and ends with all that fails being mended; how many steps that was."""
        begun, steps = time.monotonic(), 0
        some_fail = (answer(500, b"broken"), answer(200))  # so few that the circuit stays closed
        once: list[Callable[[], object]] = [self._describe, self._subscribe, self._make_key, self._register]
        while once or time.monotonic() < begun + seconds:
            self.service.receiver.script(self.path, *some_fail)
            self._publish(3)
            if once:
                once.pop()()
            if steps % 4 == 3:
                self._mend()
            steps += 1
            time.sleep(A_STEP)
        self._mend()
        return steps

    def _publish(self, amount: int) -> None:
        assert self.user.post("/events", {"events": [event() for _ in range(amount)]}).status_code == 202

    def _mend(self) -> None:
        """What died first is sent again, and arrives."""
        self.service.receiver.script(self.path, answer(200))
        self.user.post(f"{self.key}/dead-letters/bulk-replay", {"ids": [self.dead["id"]]})
        self.user.settled(self.failing["id"], self.dead["event_id"])

    def _describe(self) -> None:
        self.user.change(self.working["id"], description="It works.")

    def _subscribe(self) -> None:
        assert self.user.post(f"{self.key}/subscriptions", {"event_type": "table.updated"}).status_code == 201

    def _make_key(self) -> None:
        made = self.user.post("/api-keys", {"name": "New", "scopes": ["webhooks:read"], "expires_in_days": 30})
        assert made.status_code == 201, made.text

    def _register(self) -> None:
        self.user.register(self.service.receiver.url(self.service.path()), "user.joined", name="New")


class Left:
    """A page in a tab of its own, and another tab that opens it anew."""

    def __init__(self, look: Look, judge: Look, at: str, says: Says, user: User) -> None:
        self.look, self.judge, self.at, self.says, self.user = look, judge, at, says, user

    @classmethod
    def open(cls, tabs: "Tabs", at: str, says: Says, user: User) -> "Left":
        look = tabs.another()
        look.open(at)
        return cls(look, tabs.judge, at, says, user)

    def text(self) -> str:
        """What it says."""
        return shown(self.look.page)

    def now(self) -> str:
        """What it says when it is opened now."""
        self.judge.page.goto("about:blank")
        self.judge.open(self.at)
        eventually(lambda: self.judge.page.evaluate(DRAWN))  # charts are, in one of the next frames
        return shown(self.judge.page)


class Tabs:
    """Of one person, who is signed in in the first one."""

    def __init__(self, context: BrowserContext, judge: Look) -> None:
        self.context, self.judge = context, judge

    def another(self) -> Look:
        return Look(self.judge.base_url, self.context.new_page())


@contextmanager
def signed_in(browser: Browser, service: Service, user: User) -> Iterator[Tabs]:
    context = browser.new_context(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
    context.set_default_timeout(40_000)
    judge = Look(service.stack.base_url, context.new_page())
    token = user.headers.get("Authorization", "").removeprefix("Bearer ")
    judge.sign_in(token or user)
    yield Tabs(context, judge)
    context.close()


def shown(page: Page) -> str:
    return page.evaluate(TEXT)


def still(service: Service, user: User, admin: User) -> None:
    """Until nothing moves any more: all is sent, and all is counted."""
    metrics = {"Authorization": admin.headers["Authorization"]}

    def figures() -> tuple[Document, str]:
        counters = service.http.get("/metrics", headers=metrics).text
        counted = "\n".join(line for line in counters.splitlines() if line.startswith("webhook_deliver"))
        return user.read("/overview")["totals"], counted

    for status in ("pending", "retrying"):
        eventually(lambda status=status: not user.items("/deliveries", status=status), timeout=120, every=1)
    last = figures()
    deadline = time.monotonic() + 120
    while (time.sleep(3), now := figures())[1] != last:
        assert time.monotonic() < deadline, "counters go on"
        last = now
