"""Portal mode: embedded by an allowed origin it works with a token that was handed over, by another it is refused."""

import json

from playwright.sync_api import expect

from tests.browser.conftest import Embedding
from tests.browser.look import Look
from tests.support.service import Service, event

# As in docs/dashboard.md, with the token written in instead of fetched.
PAGE = """<!doctype html><title>Acme</title>
<iframe id="webhooks" width="1000" height="700" src="{url}" title="Webhooks"></iframe>
<script>
  addEventListener("message", (event) => {{
    const frame = document.getElementById("webhooks");
    if (event.source !== frame.contentWindow || event.data?.type !== "webhooks:token-wanted") return;
    frame.contentWindow.postMessage({{ type: "webhooks:token", token: {token} }}, {target});
  }});
</script>"""


# As docs/dashboard.md says for where no script can run.
BARE = '<!doctype html><title>Acme</title><iframe id="webhooks" width="1000" height="700" src="{url}"></iframe>'


def _bare(look: Look, token: str, parameters: str = "portal") -> bytes:
    return BARE.format(url=f"{look.base_url}/dashboard?{parameters}#token={token}").encode()


def _page(look: Look, token: str, parameters: str = "portal&name=Acme%20Inc&accent=0b7a5c&theme=light") -> bytes:
    url = f"{look.base_url}/dashboard?{parameters}"
    return PAGE.format(url=url, token=json.dumps(token), target=json.dumps(look.base_url)).encode()


def test_an_allowed_origin_embeds_it_and_hands_over_the_token(look: Look, service: Service, allowed: Embedding) -> None:
    user = service.user()
    webhook = user.register(service.receiver.url(service.path()), name="Customer's own")
    other = service.user().register(service.receiver.url(service.path()), name="Somebody else's")
    allowed.page = _page(look, service.stack.token(user.user_id, scope="webhooks"))
    look.page.goto(f"{allowed.origin}/")
    frame = look.page.frame_locator("#webhooks")
    expect(frame.get_by_role("navigation", name="Pages")).to_be_visible(timeout=40_000)
    expect(frame.get_by_text("Acme Inc")).to_be_visible()
    for hidden in ("Service", "Sign out"):
        expect(frame.get_by_text(hidden, exact=True)).to_have_count(0)
    frame.get_by_role("link", name="Webhooks", exact=True).click()
    expect(frame.get_by_role("link", name="Customer's own")).to_be_visible()
    expect(frame.get_by_text("Somebody else's")).to_have_count(0)
    frame.get_by_role("link", name="Customer's own").click()
    expect(frame.locator("h1")).to_have_text("Customer's own")
    frame.get_by_role("button", name="Pause").click()
    expect(frame.get_by_role("button", name="Resume")).to_be_visible()
    assert user.read(f"/webhooks/{webhook['id']}")["status"] == "paused"
    tab = next(each for each in look.page.frames if "/dashboard" in each.url)
    assert tab.evaluate("() => document.title") == "Customer's own · Acme Inc"
    assert tab.evaluate("() => sessionStorage.length + localStorage.length") == 0
    tab.evaluate("id => { location.hash = `#/webhooks/${id}`; }", other["id"])
    expect(frame.get_by_role("alert").first).to_contain_text("belongs to another user")


def test_there_is_no_page_of_the_service_as_a_whole_by_its_address_either(
    look: Look, service: Service, allowed: Embedding
) -> None:
    """Even with a token that may read its metrics: the platform may be careless."""
    allowed.page = _bare(look, service.stack.token(service.user().user_id, scope="webhooks metrics:read admin"))
    look.page.goto(f"{allowed.origin}/")
    frame = look.page.frame_locator("#webhooks")
    expect(frame.get_by_role("navigation", name="Pages")).to_be_visible(timeout=40_000)
    tab = next(each for each in look.page.frames if "/dashboard" in each.url)
    tab.evaluate("() => { location.hash = '#/service'; }")
    expect(frame.get_by_role("heading", level=1)).to_have_text("No such page")
    expect(frame.get_by_text("All tenants")).to_have_count(0)


def test_any_other_origin_is_refused(look: Look, service: Service, stranger: Embedding) -> None:
    user = service.user()
    stranger.page = _page(look, service.stack.token(user.user_id))
    look.page.goto(f"{stranger.origin}/")
    look.page.wait_for_timeout(1_500)
    embedded = [each for each in look.page.frames if each != look.page.main_frame]
    assert all("/dashboard" not in each.url for each in embedded)
    assert any("frame-ancestors" in fault for fault in look.faults)
    look.faults.clear()


def test_a_token_from_a_page_that_may_not_embed_is_not_taken(look: Look, service: Service, stranger: Embedding) -> None:
    """Opened by another page, as a window of its own: there is no policy on that."""
    stranger.page = b"<!doctype html><title>Stranger</title>"
    look.page.goto(f"{stranger.origin}/")
    token = service.stack.token(service.user().user_id)
    with look.page.expect_popup() as opened:
        look.page.evaluate("url => { window.other = open(url); }", f"{look.base_url}/dashboard?portal")
    popup = opened.value
    popup.wait_for_load_state()
    look.page.evaluate("token => window.other?.postMessage({type: 'webhooks:token', token}, '*')", token)
    popup.wait_for_timeout(1_500)
    expect(popup.get_by_role("navigation", name="Pages")).to_have_count(0)


def test_a_token_in_the_fragment_is_taken_and_does_not_stay_in_the_address(
    look: Look, service: Service, allowed: Embedding
) -> None:
    user = service.user()
    user.register(service.receiver.url(service.path()), name="By fragment")
    token = service.stack.token(user.user_id, scope="webhooks")
    allowed.page = _bare(look, token)
    look.page.goto(f"{allowed.origin}/")
    frame = look.page.frame_locator("#webhooks")
    expect(frame.get_by_role("navigation", name="Pages")).to_be_visible(timeout=40_000)
    tab = next(each for each in look.page.frames if "/dashboard" in each.url)
    assert token not in tab.url


def test_portal_mode_by_itself_takes_no_token_and_shows_nothing(look: Look, service: Service) -> None:
    """A link with an attacker's token, sent to somebody who takes the page for their own."""
    token = service.stack.token(service.user().user_id, scope="webhooks")
    look.page.goto(f"{look.base_url}/dashboard?portal&name=Acme#token={token}")
    expect(look.page.get_by_role("heading", name="Open this inside its product")).to_be_visible(timeout=40_000)
    expect(look.page.get_by_role("navigation", name="Pages")).to_have_count(0)
    assert token not in look.page.url


def test_a_link_does_not_sign_anybody_in_as_somebody_else_without_a_word(look: Look, service: Service) -> None:
    """Whether the page is loaded with it or is open already, signed in or not."""
    mine, attacker = service.user(), service.user()
    attacker.register(service.receiver.url(service.path()), name="The attacker's")
    token = service.stack.token(attacker.user_id, scope="webhooks")

    def who() -> str:
        return look.page.evaluate("() => sessionStorage.getItem('session') ?? ''")

    look.page.goto(f"{look.base_url}/dashboard#token={token}")
    expect(look.page.get_by_role("dialog", name=f"Sign in as {attacker.user_id}?")).to_be_visible(timeout=40_000)
    look.press("Cancel")
    assert who() == ""
    look.sign_in(mine)
    for load in (False, True):
        if load:
            look.page.goto("about:blank")
            look.page.goto(f"{look.base_url}/dashboard#token={token}")
        else:
            look.page.evaluate("token => { location.hash = `#token=${token}`; }", token)
        question = look.page.get_by_role("dialog", name=f"Sign in as {attacker.user_id}?")
        expect(question).to_contain_text(f"You are signed in as {mine.user_id}")
        look.press("Cancel")
        assert token not in look.page.url
        assert token not in who()
        expect(look.page.get_by_text("The attacker's")).to_have_count(0)
    look.page.evaluate("token => { location.hash = `#token=${token}`; }", token)
    look.press("Sign in")
    look.open("#/webhooks")
    expect(look.page.get_by_role("link", name="The attacker's")).to_be_visible()


def test_the_colour_of_the_platform_stays_readable(look: Look, service: Service, allowed: Embedding) -> None:
    """Contrast of at least 4.5 for links and the text of buttons, whatever colour is asked for."""
    user = service.user()
    published = event()
    webhook = user.register(service.receiver.url(service.path()), name="Readable")
    user.post("/events", published)
    user.settled(webhook["id"], published["id"])
    token = service.stack.token(user.user_id, scope="webhooks")
    for accent in ("ffff66", "0b7a5c", "111111", "ff0088"):
        for theme in ("light", "dark"):
            allowed.page = _bare(look, token, f"portal&accent={accent}&theme={theme}")
            look.page.goto("about:blank")
            look.page.goto(f"{allowed.origin}/")
            frame = look.page.frame_locator("#webhooks")
            expect(frame.get_by_role("navigation", name="Pages")).to_be_visible(timeout=40_000)
            frame.get_by_role("link", name="Webhooks", exact=True).last.click()
            link = frame.get_by_role("link", name="Readable", exact=True)
            expect(link).to_be_visible()
            ground = frame.locator(".scroll.flush").evaluate("one => getComputedStyle(one).backgroundColor")
            colour = link.evaluate("one => getComputedStyle(one).color")
            assert _contrast(_rgb(colour), _rgb(ground)) >= 4.5, (accent, theme)
            primary = frame.get_by_role("link", name="New webhook")
            text, behind = primary.evaluate(
                "one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]"
            )
            assert _contrast(_rgb(text), _rgb(behind)) >= 4.5, (accent, theme)


def _rgb(text: str) -> list[float]:
    return [float(part) for part in text[text.index("(") + 1 : -1].replace(",", " ").split()[:3]]


def _contrast(one: list[float], other: list[float]) -> float:
    dark, bright = sorted((_luminance(one), _luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: list[float]) -> float:
    shares = [part / 255 for part in colour]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
