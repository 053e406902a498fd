"""Nothing typed is lost, whatever comes in between, and no job: a table of edits, each interrupted in every way."""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, Route, expect

from tests.browser.look import Look
from tests.conftest import Figure
from tests.support.receiver import answer
from tests.support.service import Document, Service, User, event, eventually

FILTERS = '{"fields": {"status": "open", "amount": 1.10}}'


@dataclass(frozen=True)
class Edit:
    """What is typed, by labels: at which address of a webhook, behind which button, and how it is saved."""

    at: str
    typed: dict[str, str]
    save: str
    open: str | None = None
    ticked: tuple[str, ...] = ()
    pressed: str | None = None  # before anything is typed
    shown: str = ".toast"  # once it is saved
    made: Callable[[User, Document], list[Any]] = field(
        default=lambda _user, _webhook: []
    )  # what the service has of it


def _subscriptions(user: User, webhook: Document) -> list[Any]:
    found = user.items(f"/webhooks/{webhook['id']}/subscriptions")
    return [(each["event_type"], each["filters"]) for each in found if each["resource_id"] == "rec_9"]


def _webhooks(name: str) -> Callable[[User, Document], list[Any]]:
    return lambda user, _webhook: [each["name"] for each in user.items("/webhooks") if each["name"] == name]


def _jobs(rate: float) -> Callable[[User, Document], list[Any]]:
    return lambda user, _webhook: [each["id"] for each in user.items("/replays") if each["rate_per_second"] == rate]


def _keys(user: User, _webhook: Document) -> list[Any]:
    return [each["name"] for each in user.items("/api-keys")]


SUBSCRIPTION: dict[str, Any] = {
    "at": "#/webhooks/{id}?tab=subscriptions",
    "open": "Add a subscription",
    "save": "Subscribe",
}
TARGET = {"Event type": "record.updated", "Resource id": "rec_9"}
RULE = {"conditions": {"operator": "and", "rules": [{"field": "status", "operator": "equals", "value": "open"}]}}
EDITS = {
    "a new webhook": Edit(
        "#/webhooks/new",
        {"Name": "Brand new", "Endpoint URL": "https://example.com/new"},
        "Create webhook",
        ticked=("*",),
        shown="dialog[open] pre",
        made=_webhooks("Brand new"),
    ),
    "a webhook": Edit(
        "#/webhooks/{id}/edit",
        {"Name": "Renamed", "Metadata": '{"n": 1.10}'},
        "Save",
        shown=".toast:has-text('Saved')",
        made=_webhooks("Renamed"),
    ),
    "a subscription": Edit(**SUBSCRIPTION, typed=TARGET, made=_subscriptions),
    "a filter by rules": Edit(
        **SUBSCRIPTION,
        typed={**TARGET, "Field": "status", "Value": "open"},
        pressed="Add a rule",
        made=lambda user, webhook: [each for each in _subscriptions(user, webhook) if each[1] == RULE],
    ),
    "a filter as JSON": Edit(
        **SUBSCRIPTION,
        typed={**TARGET, "Filters as JSON": FILTERS},
        pressed="JSON",
        made=lambda user, webhook: [each for each in _subscriptions(user, webhook) if each[1] == json.loads(FILTERS)],
    ),
    "a test event": Edit(
        "#/webhooks/{id}",
        {"Data": '{"fields": {"amount": 12345678901234567890}}'},
        "Send now",
        open="Send test",
        shown="dialog[open] .badge",
    ),
    "a replay": Edit(
        "#/dead-letters",
        {"Maximum per second": "7"},
        "Replay",
        open="Replay all …",
        shown=".job",
        made=_jobs(7),
    ),
    "a recovery": Edit(
        "#/webhooks/{id}?tab=deliveries",
        {"Maximum per second": "9"},
        "Recover",
        open="Recover …",
        shown=".job",
        made=_jobs(9),
    ),
    "an API key": Edit(
        "#/api-keys",
        {"Name": "import"},
        "Make the key",
        open="Make a key",
        ticked=("webhooks:read",),
        shown="dialog[open] pre",
        made=_keys,
    ),
}
SHORT = ("a filter by rules", "a test event", "a replay")
QUESTION = "Leave without saving?"


@dataclass
class Line:
    """What stands between the page and the service."""

    look: Look
    status: int | None = None  # of every answer to what changes something; None: the service's own
    loses: bool = False  # the service does it, and its answer does not come back
    also_reads: bool = False

    def __post_init__(self) -> None:
        self.look.page.route("**/api/v1/**", self._pass)

    def _pass(self, route: Route) -> None:
        if route.request.method == "GET" and not self.also_reads:
            route.continue_()
        elif self.loses and "dry_run" not in (route.request.post_data or ""):
            route.fetch()
            route.abort()
        elif self.status is not None:
            route.fulfill(status=self.status, json={"title": "No", "detail": f"answered with {self.status}"})
        else:
            route.continue_()

    @contextmanager
    def broken(self, status: int | None = None, *, loses: bool = False, also_reads: bool = False) -> Iterator[None]:
        self.status, self.loses, self.also_reads = status, loses, also_reads
        yield
        self.status, self.loses, self.also_reads = None, False, False


@dataclass
class Editing:
    """One edit, under way."""

    look: Look
    line: Line
    edit: Edit

    def control(self, label: str) -> Locator:
        return (
            self.look.page.get_by_label(re.compile(f"^{label}( optional)?$"))
            .and_(self.look.page.locator(":visible"))
            .last
        )

    def begin(self, at: str) -> None:
        self.look.open(at)
        if self.edit.open:
            self.look.page.get_by_role("button", name=self.edit.open).first.click()
        if self.edit.pressed:
            self.look.press(self.edit.pressed)
        for value in self.edit.ticked:
            self.look.page.locator(f"input[value='{value}'], input[name='{value}']").check()
        for label, text in self.edit.typed.items():
            self.control(label).fill(text)
        self.look.page.wait_for_timeout(500)  # filters are tried out a moment later

    def save(self) -> None:
        self.look.page.get_by_role("button", name=self.edit.save, exact=True).last.click()

    def nothing_is_lost(self) -> None:
        for label, text in self.edit.typed.items():
            expect(self.control(label)).to_have_value(text)
        for value in self.edit.ticked:
            expect(self.look.page.locator(f"input[value='{value}'], input[name='{value}']")).to_be_checked()

    def told(self) -> None:
        """It is said that it was not saved, and one may try again."""
        said = self.look.page.locator(".form-error, .field-error").filter(has_text=re.compile(r"\w"))
        expect(said.first).to_be_visible()
        expect(self.look.page.get_by_role("button", name=self.edit.save, exact=True).last).to_be_enabled()

    def declined(self) -> None:
        with self.line.broken(401):
            self.save()
            expect(self.look.page.get_by_role("dialog", name="Your session has ended")).to_be_visible()
            self.look.page.keyboard.press("Escape")
            self.told()

    def refused(self, status: int) -> None:
        with self.line.broken(status):
            self.save()
            self.told()

    def offline(self) -> None:
        self.look.page.context.set_offline(True)
        self.save()
        self.told()
        self.look.page.context.set_offline(False)

    def _asked(self, answer: str = "Cancel") -> None:
        question = self.look.page.get_by_role("dialog", name=QUESTION)
        question.get_by_role("button", name=answer).click()
        expect(question).to_have_count(0)

    def navigates(self) -> None:
        self.look.page.evaluate("() => { location.hash = '#/events'; }")
        self._asked()

    def back(self) -> None:
        self.look.page.evaluate("() => history.back()")
        self._asked()

    def escape(self) -> None:
        self.look.page.keyboard.press("Escape")
        if self.edit.open:
            self._asked()

    def reload(self) -> None:
        before = self.look.stayed
        self.look.page.evaluate("() => { setTimeout(() => location.reload()); }")
        eventually(lambda: self.look.page.wait_for_timeout(50) or self.look.stayed, lambda now: now > before)

    def loses_its_answer(self) -> None:
        with self.line.broken(loses=True):
            self.save()
            self.told()


INTERRUPTIONS: dict[str, Callable[[Editing], None]] = {
    "401": Editing.declined,
    "429": lambda editing: editing.refused(429),
    "500": lambda editing: editing.refused(500),
    "offline": Editing.offline,
    "navigation": Editing.navigates,
    "back": Editing.back,
    "Esc": Editing.escape,
    "reload": Editing.reload,
    "a lost answer": Editing.loses_its_answer,
}


@pytest.fixture
def webhook(service: Service) -> tuple[User, Document]:
    """With dead letters: more than a slow job sends in its first minute."""
    user = service.user()
    made = user.register(
        service.receiver.url(service.path(answer(500))), "record.created", name="Before", max_retries=0
    )
    events = [event() for _ in range(9)]
    assert user.post("/events", {"events": events}).status_code == 202
    eventually(lambda: user.items("/dead-letters", is_processed=False), lambda found: len(found) == 9, timeout=60)
    return user, made


@pytest.mark.timeout(900)
def test_nothing_typed_is_lost_by_any_interruption(look: Look, webhook: tuple[User, Document], figure: Figure) -> None:
    """Three edits in the suite, and all of them by `make test-browser`."""
    user, made = webhook
    names = tuple(EDITS) if "SCALE" in os.environ else SHORT
    line = Line(look)
    look.sign_in(user)
    count = 0
    for name in names:
        editing = Editing(look, line, EDITS[name])
        look.page.goto(f"{look.base_url}/dashboard#/webhooks")  # for Back to come to
        editing.begin(editing.edit.at.format(id=made["id"]))
        before = editing.edit.made(user, made)
        for interruption, happens in INTERRUPTIONS.items():
            try:
                happens(editing)
                editing.nothing_is_lost()
            except (AssertionError, PlaywrightError) as exc:
                raise AssertionError(f"{name}, interrupted by {interruption}") from exc
            count += 1
        editing.save()
        expect(look.page.locator(editing.edit.shown).last).to_be_visible()
        if name != "a test event":
            assert len(editing.edit.made(user, made)) == len(before) + 1, f"{name}: made once"
        if editing.edit.shown == "dialog[open] pre":  # what is shown once stays until somebody has it
            for _ in range(3):
                look.page.keyboard.press("Escape")
            expect(look.page.locator(editing.edit.shown)).to_be_visible()
            count += 1
            look.page.locator("dialog[open] .button.primary").click()
        if name == "a test event":
            look.page.keyboard.press("Escape")
        expect(look.page.locator("dialog[open]")).to_have_count(0)
    figure(f"interruptions: {count} in {len(names)} kinds of edits; lost: 0")


def test_no_job_is_lost_by_any_interruption(look: Look, webhook: tuple[User, Document], figure: Figure) -> None:
    user, _ = webhook
    line = Line(look)
    look.sign_in(user, "#/dead-letters")
    look.page.get_by_role("button", name="Replay all …").first.click()
    look.front.get_by_label("Maximum per second").fill("0.1")
    look.press("Replay")
    job = look.page.locator(".job")
    expect(job).to_be_visible()

    def fails(status: int) -> None:
        with line.broken(status, also_reads=True):
            expect(look.page.locator(".stale")).to_contain_text(f"answered with {status}", timeout=15_000)

    def ends() -> None:
        with line.broken(401, also_reads=True):
            expect(look.page.get_by_role("dialog", name="Your session has ended")).to_be_visible()
        look.press("Continue")

    def offline() -> None:
        look.page.context.set_offline(True)
        expect(look.page.locator(".stale")).to_contain_text("cannot be reached", timeout=15_000)
        look.page.context.set_offline(False)

    def leaves() -> None:
        look.page.get_by_role("link", name="Overview").click()
        look.settled()
        look.page.go_back()

    interruptions: dict[str, Callable[[], object]] = {
        "Esc": lambda: look.page.keyboard.press("Escape"),
        "reload": look.page.reload,
        "navigation": leaves,
        "offline": offline,
        "500": lambda: fails(500),
        "401": ends,
    }
    for name, happens in interruptions.items():
        try:
            happens()
            expect(job).to_have_count(1)
            expect(job).to_contain_text("replayed")
        except (AssertionError, PlaywrightError) as exc:
            raise AssertionError(f"a running job, interrupted by {name}: {user.items('/replays')}") from exc
    (found,) = user.items("/replays")
    assert found["status"] in ("running", "completed")
    assert found["error"] is None
    figure(f"interruptions: {len(interruptions)} of a running job; lost: 0")
