"""Lambda: the dashboard's files. Whatever they show, the browser asks the API for, with the user's own token."""

import os
from pathlib import Path
from typing import Any

from files import Site, answer
from webhooks.settings import DashboardSettings

settings = DashboardSettings.read(os.environ)
site = Site.load(
    Path(__file__).with_name("static"),
    frame_ancestors=settings.dashboard_frame_ancestors,
    auth_mode=settings.auth_mode,
    static_egress=settings.static_egress,
    list_events=settings.list_events,
)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """A file by its path below /dashboard; the page itself for /dashboard."""
    parameters: dict[str, str] = event.get("pathParameters") or {}
    return answer(site, parameters.get("proxy", ""), below=str(event.get("path", "")).endswith("/"))
