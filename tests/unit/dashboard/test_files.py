"""The dashboard's files: what goes out, under which policy, and where it may be kept."""

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

from webhooks.matching.filter_document import Operator

PROJECT = Path(__file__).parents[3]
FOLDER = PROJECT / "functions" / "dashboard"
STATIC = FOLDER / "static"
SCRIPTS = sorted(STATIC.rglob("*.js"))
# Each makes markup or code of a string.
SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc"
    r"|setAttribute\(\s*[\"'](on|style)|createContextualFragment"
)


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"dashboard_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


files = _load("files")


def _site(*frame_ancestors: str, **has: bool) -> Any:
    return files.Site.load(STATIC, frame_ancestors=frame_ancestors, auth_mode="jwt", **has)


def test_the_page_loads_only_files_that_are_there_and_nothing_from_elsewhere() -> None:
    page = files.answer(_site(), "")["body"]
    linked = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert linked
    for path in linked:
        site = _site()
        assert path.startswith(f"dashboard/{site.digest}/"), path
        assert files.answer(site, path.removeprefix("dashboard/"))["statusCode"] == 200, path


def test_a_page_asked_for_with_a_slash_at_the_end_finds_its_files_too() -> None:
    page = files.answer(_site(), "", below=True)["body"]
    assert 'href="dashboard/' not in page


def test_the_page_has_neither_scripts_nor_styles_inside() -> None:
    page = files.answer(_site(), "")["body"]
    assert re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|javascript:", page) is None


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_markup_or_code_of_strings(path: Path) -> None:
    assert SINKS.search(path.read_text(encoding="utf-8")) is None


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_import_files_that_are_there_and_are_short_enough_to_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for imported in re.findall(r"(?:\} from|\bimport\()\s*\"([^\"]+)\"", text):
        assert (path.parent / imported).resolve().is_file(), imported
    assert len(text.splitlines()) <= 350 or path.parent.name == "strings"


def test_the_filter_editor_offers_every_operator() -> None:
    script = (STATIC / "js" / "filter_editor.js").read_text(encoding="utf-8")
    offered = re.findall(r"^const (?:OPERATORS|CHANGES) = (\[.*\]);$", script, re.MULTILINE)
    assert tuple(name for names in offered for name in json.loads(names)) == get_args(Operator)


def test_the_policy_allows_nothing_inline_and_nobody_to_embed() -> None:
    headers = files.answer(_site(), "")["headers"]
    policy = dict(part.partition(" ")[::2] for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "'none'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"


def test_allowed_origins_may_embed_it() -> None:
    headers = files.answer(_site("https://app.example.com", "https://*.example.org:8443"), "")["headers"]
    assert "frame-ancestors https://app.example.com https://*.example.org:8443;" in headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in headers


@pytest.mark.parametrize("origin", ["*", "https://a.example; script-src *", "https://a.example/path", "null", "https:"])
def test_what_is_no_origin_is_refused_at_start(origin: str) -> None:
    with pytest.raises(ValueError, match="not an origin"):
        _site(origin)


def test_only_files_named_by_the_present_digest_are_kept() -> None:
    site = _site()
    kept = files.answer(site, f"{site.digest}/js/main.js")
    assert "immutable" in kept["headers"]["Cache-Control"]
    for name in ("js/main.js", "0123456789ab/js/main.js", ""):
        assert files.answer(site, name)["headers"]["Cache-Control"] == "no-cache", name


@pytest.mark.parametrize("name", ["../app.py", "app.py", "js/../../app.py", "js", "%2e%2e/app.py", "nothing.js"])
def test_nothing_but_the_static_files_is_served(name: str) -> None:
    answer = files.answer(_site(), name)
    assert answer["statusCode"] == 404
    assert answer["headers"]["Content-Type"].startswith("text/plain")


def test_the_sample_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "files", files)
    app = _load("app")
    sample = json.loads((PROJECT / "events" / "dashboard_script.json").read_text())
    answer = app.handler(sample, None)
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (200, "text/javascript; charset=utf-8")


@pytest.mark.parametrize(("offered", "told"), [(True, "true"), (False, "false")])
@pytest.mark.parametrize("name", ["static_egress", "list_events"])
def test_the_page_knows_without_a_request_what_the_deployment_has(name: str, offered: bool, told: str) -> None:
    page = files.answer(_site(**{name: offered}), "")["body"]
    assert f'<meta name="{name.replace("_", "-")}" content="{told}">' in page
