"""/problems/:name: what a problem's type means, as a page for people."""

import html
import re

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from problems import ALL, Kind
from webhooks.errors import NotFound

HEADERS: dict[str, str | list[str]] = {
    "Cache-Control": "public, max-age=3600",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def routes() -> Router:
    """The router: without a caller, since who has none meets problems too."""
    router = Router()

    @router.get("/problems/<name>", summary="What a problem means", tags=["system"], include_in_schema=False)
    def explain(name: str) -> Response[str]:
        if name not in ALL:
            raise NotFound(f"there is no problem {name[:64]}")
        return Response(200, "text/html; charset=utf-8", page(ALL[name]), headers=HEADERS)

    return router


def page(kind: Kind) -> str:
    """The page of one kind, with links to the others."""
    others = "\n".join(
        f'<li><a href="{each.name}">{each.status.value} {html.escape(each.title)}</a></li>'
        for each in ALL.values()
        if each is not kind
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(kind.title)} - PyAirtable Webhooks</title>
<main>
<h1>{kind.status.value} {html.escape(kind.title)}</h1>
<p><code>/problems/{kind.name}</code></p>
<h2>What it means</h2>
<p>{_marked(kind.means)}</p>
<h2>What to do</h2>
<p>{_marked(kind.remedy)}</p>
<h2>Other problems</h2>
<ul>
{others}
</ul>
</main>
</html>
"""


def _marked(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
