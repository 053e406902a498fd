"""Links of a finished site: where they lead, and that showing a page asks no other host for anything."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# By which a browser loads something at once; `a` waits for a click.
LOADING = {("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
OF_NO_HOST = {"canonical", "alternate"}  # links that are not loaded


class _Page(HTMLParser):
    """Of one page: the places on it, and its links, each with whether it is loaded at once."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[tuple[str, bool]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.places |= {place for place in (given.get("id"), given.get("name")) if place}
        for name in ("href", "src"):
            if link := given.get(name):
                self.links.append((link, (tag, name) in LOADING and given.get("rel") not in OF_NO_HOST))


def dead_links(site: Path) -> list[str]:
    """A line for each link that leads nowhere, and for each thing that a page would load from another host."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    wrong: list[str] = []
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # shown at any address, its links begin at the root of a host
        for link, is_loaded in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                wrong += [f"{path.relative_to(site)} loads {link}"] if is_loaded and parts.scheme != "data" else []
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            there = target.is_relative_to(site.resolve()) and target.is_file()
            place = unquote(parts.fragment)
            if not there or (place and target in pages and place not in pages[target].places | {"__skip"}):
                wrong.append(f"{path.relative_to(site)} links to {link}")
    return wrong
