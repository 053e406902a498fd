"""A customer comes by a link that works once: in a tab of its own, or embedded."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Embedding
from tests.browser.look import Look
from tests.support.service import Document, Service, User, event

LOOK = {"name": "Acme Inc", "accent": "0b7a5c", "theme": "light"}


def link_for(service: Service, user: User, **more: object) -> Document:
    """Made by the platform's backend."""
    backend = service.bearer(scope="portal-links")
    answer = backend.post("/portal-links", {"user_id": user.user_id, "appearance": LOOK} | more)
    assert answer.status_code == 201, answer.text
    return answer.json()


def enter(page: Page, url: str, *, ask: bool = True) -> None:
    page.goto(url)
    if ask:
        page.get_by_role("button", name="Go on").click(timeout=40_000)
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible(timeout=40_000)


def test_a_link_opens_the_customer_s_webhooks_once(look: Look, service: Service) -> None:
    user = service.user()
    user.register(service.receiver.url(service.path()), name="Customer's own")
    made = link_for(service, user)
    asked: list[str] = []
    look.page.on("request", lambda request: asked.append(f"{request.url} {request.headers.get('referer')}"))
    enter(look.page, made["url"])
    assert made["link"] not in look.page.url
    assert asked
    assert not [each for each in asked if made["link"] in each]
    expect(look.page.get_by_text("Acme Inc")).to_be_visible()
    look.page.get_by_role("link", name="Webhooks", exact=True).click()
    expect(look.page.get_by_role("link", name="Customer's own")).to_be_visible()
    for hidden in ("Service", "API keys", "Sign out"):
        expect(look.page.get_by_text(hidden, exact=True)).to_have_count(0)
    look.page.reload()
    expect(look.page.get_by_role("link", name="Customer's own")).to_be_visible()
    assert look.page.evaluate("() => Object.keys(sessionStorage)") == ["portal session"]

    other = look.page.context.browser.new_context()  # type: ignore[union-attr]
    stolen = other.new_page()
    stolen.goto(made["url"])
    expect(stolen.get_by_role("heading", name="This link no longer works")).to_be_visible(timeout=40_000)
    expect(stolen.get_by_role("navigation", name="Pages")).to_have_count(0)
    other.close()


def test_a_link_does_not_have_anybody_work_as_somebody_else_without_a_word(look: Look, service: Service) -> None:
    attacker = service.user()
    attacker.register(service.receiver.url(service.path()), name="The attacker's")
    look.page.goto(link_for(service, attacker)["url"])
    expect(look.page.get_by_role("dialog", name=f"Go on as {attacker.user_id}?")).to_be_visible(timeout=40_000)
    look.press("Cancel")
    expect(look.page.get_by_role("heading", name="Open this inside its product")).to_be_visible()
    look.page.reload()
    expect(look.page.get_by_role("heading", name="Open this inside its product")).to_be_visible()


# Texts of the page that stand in the German file as something else.
LEFT_ENGLISH = """async () => {
  const strings = (await import(new URL("dashboard/js/strings/de.js", location.href).href)).default;
  const said = [...document.querySelectorAll("[aria-label], [placeholder], [title], [data-label]")]
    .flatMap((one) => ["aria-label", "placeholder", "title", "data-label"].map((name) => one.getAttribute(name)));
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) said.push(walker.currentNode.data);
  return said.filter((text) => text && Object.hasOwn(strings, text) && strings[text] !== text);
}"""


def test_the_portal_speaks_the_language_of_the_link(look: Look, service: Service) -> None:
    user = service.user()
    webhook = user.register(service.receiver.url(service.path()), "record.*", name="Rechnungen")
    published = event()
    user.post("/events", published)
    delivery = user.settled(webhook["id"], published["id"])
    made = link_for(service, user, scopes=["webhooks", "events:write"], appearance={**LOOK, "language": "de"})
    look.page.goto(made["url"])
    look.page.get_by_role("button", name="Fortfahren").click(timeout=40_000)
    expect(look.page.get_by_role("heading", name="Übersicht")).to_be_visible(timeout=40_000)
    assert look.page.evaluate("() => document.documentElement.lang") == "de"
    at = f"#/webhooks/{webhook['id']}"
    tabs = [f"{at}?tab={name}" for name in ("activity", "subscriptions", "deliveries", "settings", "changes")]
    others = [f"{at}/edit", f"{at}/deliveries/{delivery['id']}", f"#/events/{published['id']}", "#/webhooks/new"]
    for address in ("#/", "#/webhooks", *tabs, *others, "#/deliveries", "#/events", "#/dead-letters", "#/replays"):
        look.page.evaluate("at => { location.hash = at; }", address)
        look.settled()
        assert look.page.evaluate(LEFT_ENGLISH) == [], address


def test_an_allowed_page_embeds_a_link_or_hands_it_over(look: Look, service: Service, allowed: Embedding) -> None:
    user = service.user()
    user.register(service.receiver.url(service.path()), name="Customer's own")
    by_address, handed = link_for(service, user), link_for(service, user)
    frame = look.page.frame_locator("iframe")
    for url, link in ((by_address["url"], ""), (handed["url"].partition("#")[0], handed["link"])):
        allowed.page = f"""<!doctype html><title>Acme</title><iframe width="1000" height="700" src="{url}"></iframe>
            <script>addEventListener("message", ({{ source, data }}) => {{
              if ("{link}" && data?.type === "webhooks:token-wanted")
                source.postMessage({{ type: "webhooks:link", link: "{link}" }}, "{look.base_url}");
            }});</script>""".encode()
        look.page.goto(f"{allowed.origin}/")
        expect(frame.get_by_role("navigation", name="Pages")).to_be_visible(timeout=40_000)
        frame.get_by_role("link", name="Webhooks", exact=True).click()
        expect(frame.get_by_role("link", name="Customer's own")).to_be_visible()
        tab = next(each for each in look.page.frames if "/dashboard" in each.url)
        assert tab.evaluate("() => sessionStorage.length + localStorage.length") == 0
    look.page.reload()
    expect(frame.get_by_role("heading", name="This link no longer works")).to_be_visible()


def test_a_session_that_ends_goes_on_in_place_once_the_portal_is_opened_again(look: Look, service: Service) -> None:
    user = service.user()
    webhook = user.register(service.receiver.url(service.path()), name="Before")
    made = link_for(service, user)
    enter(look.page, made["url"])
    look.page.evaluate("id => { location.hash = `#/webhooks/${id}/edit`; }", webhook["id"])
    name = look.page.get_by_label("Name", exact=True)
    name.fill("After")
    assert service.bearer(scope="portal-links").delete(f"/portal-links/{made['id']}").status_code == 204
    with look.page.expect_response(lambda answer: answer.status == 401, timeout=40_000):
        for _ in range(8):  # a process of the api takes it for up to five seconds more
            look.press("Save")
            look.page.wait_for_timeout(1_000)
            if look.page.locator("dialog[open]").count():
                break
            name.fill("After that")
    ended = look.page.get_by_role("dialog", name="Your session has ended")
    expect(ended).to_contain_text("Open your webhooks from Acme Inc again")
    tab = look.page.context.new_page()
    enter(tab, link_for(service, user)["url"], ask=False)
    expect(ended).to_have_count(0)
    look.toast("Saved")
    assert user.read(f"/webhooks/{webhook['id']}")["name"].startswith("After")
    tab.close()
