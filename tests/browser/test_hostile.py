"""Strings that would like to be scripts, in every place that the API lets somebody write: none runs, all are shown."""

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.look import Look
from tests.conftest import Figure
from tests.support.receiver import answer
from tests.support.service import Service, User, event, eventually

# Each calls alert(), which `Look` takes for a fault, or sets a mark.
MARK = "window.hostile=1;alert(1)"
HOSTILE = [
    f"<script>{MARK}</script>",
    f"<img src=x onerror={MARK}>",
    f"<svg onload={MARK}>",
    f"<svg><script>{MARK}</script></svg>",
    f"\"><script>{MARK}</script>",
    f"'><img src=x onerror={MARK}>",
    f"javascript:{MARK}",
    f"JaVaScRiPt:{MARK}//",
    f"data:text/html,<script>{MARK}</script>",
    f"<a href=javascript:{MARK}>x</a>",
    f"<iframe srcdoc='<script>parent.{MARK}</script>'>",
    f"<iframe src=javascript:{MARK}>",
    f"<body onload={MARK}>",
    f"<details open ontoggle={MARK}>",
    f"<input autofocus onfocus={MARK}>",
    f"<video><source onerror={MARK}></video>",
    f"<object data=javascript:{MARK}>",
    f"<embed src=javascript:{MARK}>",
    f"<math><mi xlink:href=javascript:{MARK}>x",
    f"<form><button formaction=javascript:{MARK}>x",
    f"<style>@import'javascript:{MARK}'</style>",
    f"<link rel=stylesheet href=javascript:{MARK}>",
    f"<meta http-equiv=refresh content='0;javascript:{MARK}'>",
    f"<base href=javascript:{MARK}//>",
    f"<template><img src=x onerror={MARK}></template>",
    f"<noscript><p title=\"</noscript><img src=x onerror={MARK}>\">",
    f"</title><script>{MARK}</script>",
    f"</textarea><script>{MARK}</script>",
    f"</pre><script>{MARK}</script>",
    f"</option></select><script>{MARK}</script>",
    f"]]><script>{MARK}</script>",
    f"--><script>{MARK}</script>",
    f"{{{{constructor.constructor('{MARK}')()}}}}",
    f"${{{MARK}}}",
    f"<%= {MARK} %>",
    f"'-{MARK}-'",
    f"\";{MARK};//",
    f"\\u003cscript\\u003e{MARK}\\u003c/script\\u003e",
    f"&lt;script&gt;{MARK}&lt;/script&gt;",
    f"&#60;script&#62;{MARK}&#60;/script&#62;",
    f"%3Cscript%3E{MARK}%3C/script%3E",
    f"<scr<script>ipt>{MARK}</scr</script>ipt>",
    f"<IMG SRC=x ONERROR={MARK}>",
    f"<img/src=x/onerror={MARK}>",
    f"<svg/onload={MARK}//",
    f"<x onclick={MARK}>click</x>",
    f"<marquee onstart={MARK}>",
    f"<isindex action=javascript:{MARK} type=image>",
    f"<xss style=animation-name:x onanimationstart={MARK}>",
    f"<portal src=javascript:{MARK}>",
    f"#/webhooks/<img src=x onerror={MARK}>",
    f"__proto__[innerHTML]=<img src=x onerror={MARK}>",
    f"\u202e<script>{MARK}</script>\u202c",
    f"=HYPERLINK(\"javascript:{MARK}\")",
    f"`{MARK}`",
    f"<div style=\"background:url(javascript:{MARK})\">",
]  # fmt: skip


def test_no_string_that_anybody_can_write_is_run(look: Look, service: Service, figure: Figure) -> None:
    assert len(set(HOSTILE)) >= 50
    user = service.user()
    everything = "\n".join(HOSTILE)
    headers = [("X-Hostile", each) for each in HOSTILE[:12]]
    path = service.path(answer(500, everything.encode(), [("Content-Type", "text/html"), *headers]))
    webhook = user.register(
        service.receiver.url(f"{path}?q=%3Cscript%3E{HOSTILE[0].encode().hex()}"),
        "record.created",
        name=HOSTILE[0] + HOSTILE[1],
        description="".join(HOSTILE)[:1900],
        headers={"X-Custom": HOSTILE[2]},
        metadata={"of": HOSTILE[:20], HOSTILE[3]: HOSTILE[4]},
        max_retries=0,
    )
    for each in HOSTILE[:40]:
        made = user.post(
            f"/webhooks/{webhook['id']}/subscriptions",
            {
                "event_type": "table.created",
                "resource_id": "".join(one for one in each if one.isprintable() and one != "|")[:128],
                "filters": {"fields": {each[:200]: each}},
            },
        )
        assert made.status_code == 201, made.text
    fields = {each: each for each in HOSTILE}
    published = event(resource_id=HOSTILE[5], data={"fields": fields, "html": HOSTILE}, metadata={"of": everything})
    assert user.post("/events", published).status_code == 202
    for number, name in enumerate(HOSTILE):
        user.register(service.receiver.url(service.path()), "table.created", name=f"{number} {name}"[:200])
    delivery = user.settled(webhook["id"], published["id"], "failed")
    eventually(lambda: user.items("/dead-letters"))

    look.sign_in(user)
    at = f"#/webhooks/{webhook['id']}"
    places = [
        "#/", "#/webhooks", at, f"{at}?tab=subscriptions", f"{at}?tab=deliveries", f"{at}?tab=settings", f"{at}/edit",
        f"{at}/deliveries/{delivery['id']}", f"#/events/{published['id']}", "#/events", "#/dead-letters",
        "#/dead-letters?view=list", f"#/webhooks?q={HOSTILE[1]}", f"#/events/{HOSTILE[2]}", f"{at}?tab={HOSTILE[1]}",
    ]  # fmt: skip
    for place in places:
        look.open(place)
        look.page.evaluate("() => document.querySelectorAll('main details').forEach((one) => { one.open = true; })")
        look.page.wait_for_timeout(150)
        _nothing_ran(look, place)
    look.open(f"{at}/deliveries/{delivery['id']}")
    expect(look.page.get_by_role("region", name="Response body")).to_contain_text(HOSTILE[0])

    look.open(at)
    look.press("Send test")
    look.front.get_by_label("Data").fill('{"x": "<img src=x onerror=alert(1)>"}')
    look.press("Send now")
    expect(look.front.get_by_text("HTTP 500")).to_be_visible(timeout=30_000)
    _nothing_ran(look, "test")
    _addresses(look, user)
    figure(f"{len(HOSTILE)} hostile strings in {len(places) + 1} places: none ran, {len(look.faults)} faults")


def _nothing_ran(look: Look, place: str) -> None:
    assert look.page.evaluate("() => window.hostile ?? 0") == 0, place
    assert look.page.locator("main script, main iframe, main img, main object, main embed, main base").count() == 0
    schemes = look.page.evaluate("() => [...document.links].map((one) => one.protocol)")
    assert set(schemes) <= {"http:", "https:"}, place
    assert look.faults == [], place


def _addresses(look: Look, user: User) -> None:
    """What comes by the address itself: parameters of portal mode, and a logo."""
    for parameters in ("portal&logo=javascript:alert(1)&name=<script>alert(1)</script>", "accent=red;}*{x:url(//x)"):
        look.page.goto(f"{look.base_url}/dashboard?{parameters}#token=x.y.z")
        look.page.wait_for_timeout(500)
        assert look.page.evaluate("() => window.hostile ?? 0") == 0
    # a logo from anywhere else is not loaded, and the policy says so: the one fault that is meant
    look.faults[:] = [fault for fault in look.faults if "img-src" not in fault and "javascript:alert" not in fault]
    assert user.items("/webhooks")


def test_no_file_of_the_dashboard_comes_from_elsewhere(look: Look, service: Service) -> None:
    hosts: set[str] = set()
    look.page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    look.sign_in(service.user())
    look.open("#/webhooks/new")
    assert hosts == {Path(look.base_url).name}
