"""One tab of the dashboard, as somebody would use it."""

from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Dialog, Locator, Page, expect

from tests.support.service import User

LOADING = ".skeleton, .pending"


@dataclass
class Look:
    """The pages of the dashboard at `base_url` in `page`. `faults`: what the browser complained of."""

    base_url: str
    page: Page
    faults: list[str] = field(default_factory=list[str])
    stayed: int = 0  # how often the browser asked whether to leave the page

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.faults.append(f"script failed: {error}"))
        self.page.on("console", self._said)
        self.page.on("dialog", self._refuse)

    def _refuse(self, dialog: Dialog) -> None:
        if dialog.type == "beforeunload":
            self.stayed += 1
        else:
            self.faults.append(f"a script ran: {dialog.message}")
        dialog.dismiss()

    def _said(self, message: ConsoleMessage) -> None:
        # the browser notes every answer of 4xx; some are what a test asks for
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.faults.append(message.text)

    def sign_in(self, user: User | str, at: str = "#/") -> None:
        """As a user by id, or by a token."""
        self.page.goto(f"{self.base_url}/dashboard")
        if isinstance(user, str):
            self.page.get_by_text("Use a token instead").click()
            self.page.get_by_label("Token").fill(user)
            self.page.get_by_role("button", name="Sign in").click()
        else:
            self.page.get_by_label("User id").fill(str(user.user_id))
            self.page.get_by_role("button", name="Continue").click()
        expect(self.page.get_by_role("navigation", name="Pages")).to_be_visible(timeout=40_000)
        if at != "#/":
            self.open(at)
        self.settled()

    def sign_out(self) -> None:
        """In this tab, with nothing asked."""
        self.page.evaluate("() => sessionStorage.clear()")
        self.page.goto("about:blank")

    def open(self, at: str) -> None:
        """A page by its address behind the #."""
        self.page.goto(f"{self.base_url}/dashboard{at}")
        expect(self.page.locator("h1")).to_be_visible(timeout=40_000)
        self.settled()

    def settled(self) -> None:
        """Nothing is being loaded any more."""
        expect(self.page.locator("h1")).to_be_visible(timeout=40_000)
        expect(self.page.locator(LOADING)).to_have_count(0, timeout=40_000)

    def press(self, name: str) -> None:
        """A button by its name, in the dialog if one is open."""
        self.front.get_by_role("button", name=name, exact=True).first.click()

    @property
    def front(self) -> Locator:
        """The open dialog; else the page: whichever it is when the locator is used."""
        return self.page.locator("dialog[open], body:not(:has(dialog[open]))")

    def toast(self, text: str) -> None:
        """A short message says this."""
        expect(self.page.locator(".toast", has_text=text).first).to_be_visible()
