"""The site of docs/: it builds, is complete, leads nowhere wrong, and is shown by the local stack."""

import json
import re
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from localstack.emulator import PROJECT
from localstack.front import Front, listen
from scripts.site.build import NotBuilt, _target, build
from scripts.site.links import dead_links
from tests.browser.conftest import FLAGS, chromium
from webhooks.reason_texts import delivery_sentence, not_queued_sentence

sys.path.append(str(PROJECT / "functions" / "api"))  # where Lambda has it

from problems import ALL

DOCUMENT = json.loads((PROJECT / "docs" / "openapi.json").read_text(encoding="utf-8"))
DELIVERIES = (PROJECT / "docs" / "deliveries.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built strictly: this fails for a page, a diagram or a link that is not there."""
    folder = tmp_path_factory.mktemp("site") / "docs"
    build(folder)
    return folder


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_every_page_is_there_and_led_to_by_the_navigation(site: Path) -> None:
    navigation = set(re.findall(r'href="\./([\w/-]+\.html)" class="md-nav__link', text_of(site / "index.html")))
    for page in (PROJECT / "docs").glob("*.md"):
        assert (site / page.with_suffix(".html").name).exists()
        assert page.name == "index.md" or page.with_suffix(".html").name in navigation


def test_every_operation_schema_and_problem_is_in_the_reference(site: Path) -> None:
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            page = text_of(site / "api" / f"{operation['tags'][0]}.html")
            assert f'id="{operation["operationId"].lower()}"' in page
    schemas, problems = text_of(site / "api" / "schemas.html"), text_of(site / "api" / "problems.html")
    assert [name for name in DOCUMENT["components"]["schemas"] if f'id="{name.lower()}"' not in schemas] == []
    for name in ALL:
        assert f"<code>/problems/{name}</code>" in problems


def test_deliveries_are_explained_as_the_document_has_them() -> None:
    delivery = DOCUMENT["webhooks"]["record.created"]["post"]
    headers = {each["name"] for each in delivery["parameters"]} | {"Content-Type", "User-Agent"}
    headers |= {"X-PyAirtable-Signature-Next"}  # while a secret is rotated
    assert set(re.findall(r"^\| `([\w-]+)` \|.*\| (?:the same|new|counts) \|$", DELIVERIES, re.MULTILINE)) == headers
    body = DELIVERIES[DELIVERIES.index("## Body") : DELIVERIES.index("## Types")]
    assert re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE) == [
        *DOCUMENT["components"]["schemas"]["DeliveredEvent"]["properties"]
    ]
    types = DELIVERIES[DELIVERIES.index("## Types") :]
    assert set(re.findall(r"`(\w+\.\w+)`", types)) == set(DOCUMENT["webhooks"])


def test_troubleshooting_names_reasons_that_there_are() -> None:
    page = (PROJECT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    for heading, sentence in (("## No events arrive", not_queued_sentence), ("## Deliveries fail", delivery_sentence)):
        table = page[page.index(heading) :].split("\n\n## ")[0]
        reasons = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)))
        assert len(reasons) >= 8
        assert [reason for reason in reasons if sentence(reason) in {None, reason}] == []


@pytest.mark.parametrize(
    ("link", "is_wrong"),
    [
        ('<a href="b.html#there">', False),
        ('<a href="https://example.com/">', False),
        ('<a href="c.html">', True),
        ('<a href="b.html#elsewhere">', True),
        ('<a href="#here">', True),
        ('<a href="../../secret.html">', True),
        ('<img src="https://example.com/picture.png">', True),
        ('<script src="//example.com/script.js"></script>', True),
        ('<link rel="stylesheet" href="https://example.com/style.css">', True),
    ],
)
def test_a_link_that_leads_nowhere_is_told(link: str, is_wrong: bool, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(f"<p>{link}</p>")
    (tmp_path / "b.html").write_text('<h1 id="there">There</h1>')
    assert bool(dead_links(tmp_path)) is is_wrong


def test_a_page_that_links_to_no_file_is_not_built() -> None:
    with pytest.raises(NotBuilt, match="links to missing"):
        _target(PROJECT / "docs" / "index.md", "missing.md")


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    listener = listen("127.0.0.1", 0)
    front = Front(listener, "http://127.0.0.1:9", site)
    front.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    front.stop()


def test_the_local_stack_shows_it(address: str, site: Path) -> None:
    with urllib.request.urlopen(f"{address}/docs", timeout=10) as answer:
        assert answer.url == f"{address}/docs/index.html"
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.read() == (site / "index.html").read_bytes()
    (site.parent / "secret.html").write_text("not for readers")
    for path in ("missing.html", "..%2fsecret.html", "%00", "images"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}/docs/{path}", timeout=10)
        assert refused.value.code == 404
        assert "no such page" in json.load(refused.value)["detail"]
        refused.value.close()


def test_the_local_stack_says_where_it_is_not_built(address: str, site: Path) -> None:
    shutil.move(site, site.with_name("away"))
    try:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}/docs", timeout=10)
        assert "make docs" in json.load(refused.value)["detail"]
        refused.value.close()
    finally:
        shutil.move(site.with_name("away"), site)


def test_a_reader_searches_in_the_dark_and_no_other_host_is_asked(address: str) -> None:
    if (browser := chromium()) is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        page = opened.new_page(color_scheme="dark")
        asked: list[str] = []
        wrong: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.goto(f"{address}/docs/architecture.html")
        expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "slate")
        for drawn in page.locator("img.diagram").all():
            assert drawn.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
        page.get_by_role("button", name="Search").first.click()
        page.keyboard.type("pull webhook cursor")
        found = page.get_by_role("option").filter(has_text="Read instead of being sent")
        expect(found.first).to_be_visible(timeout=20_000)
        opened.close()
    assert wrong == []
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
