"""The page, its scripts and styles, and the headers that they go out with."""

import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PAGE = "index.html"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
DIGEST_LENGTH = 12
_DIGEST = re.compile(rf"[0-9a-f]{{{DIGEST_LENGTH}}}/")
# An origin, with a wildcard for the leftmost label at most: nothing here can begin another directive of the policy.
_ORIGIN = re.compile(r"https?://(\*\.)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Site:
    """Every file by its name, and what the headers depend on. `digest` changes with any of the files."""

    files: Mapping[str, str]
    digest: str
    frame_ancestors: tuple[str, ...]
    auth_mode: str
    static_egress: bool = False
    list_events: bool = False

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        frame_ancestors: Sequence[str],
        auth_mode: str,
        static_egress: bool = False,
        list_events: bool = False,
    ) -> Self:
        """Read once. Raises ValueError for an ancestor that is not an origin."""
        for origin in frame_ancestors:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is not an origin, such as https://app.example.com")
        found = {
            path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in TYPES
        }
        digest = hashlib.sha256("\0".join(f"{name}\0{text}" for name, text in found.items()).encode()).hexdigest()
        return cls(found, digest[:DIGEST_LENGTH], tuple(frame_ancestors), auth_mode, static_egress, list_events)

    @property
    def policy(self) -> str:
        """The Content-Security-Policy: everything from here, nothing inline, nothing made from strings.

        Images may also come from where the page may be embedded: the platform's logo is there.
        """
        ancestors = " ".join(self.frame_ancestors) or "'none'"
        images = " ".join(["'self'", "data:", *self.frame_ancestors])
        return "; ".join(
            [
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "connect-src 'self'",
                f"img-src {images}",
                "base-uri 'none'",
                "form-action 'none'",
                f"frame-ancestors {ancestors}",
                "require-trusted-types-for 'script'",
                "trusted-types 'none'",
            ]
        )

    def page(self, *, below: bool) -> str:
        """The page, with paths that hold wherever the API is mounted. `below`: it was asked for as /dashboard/."""
        values = {
            "assets": f"{'' if below else 'dashboard/'}{self.digest}",
            "frame_ancestors": ",".join(self.frame_ancestors),
            "auth_mode": self.auth_mode,
            "static_egress": str(self.static_egress).lower(),
            "list_events": str(self.list_events).lower(),
        }
        return re.sub(r"\{\{(\w+)\}\}", lambda match: html.escape(values[match[1]]), self.files[PAGE])


def answer(site: Site, name: str, *, below: bool = False) -> dict[str, Any]:
    """API Gateway's answer with the file of that name, the page for none.

    A name that begins with the digest is of this version for ever; without, or with another one's, it is what is now.
    """
    plain = _DIGEST.sub("", name, count=1) if _DIGEST.match(name) else name
    if plain in {"", PAGE}:
        return _answer(site, 200, TYPES[".html"], site.page(below=below), "no-cache")
    text = site.files.get(plain)
    if text is None:
        return _answer(site, 404, "text/plain; charset=utf-8", "There is no such file.", "no-store")
    for_ever = name.startswith(f"{site.digest}/")
    caching = "public, max-age=31536000, immutable" if for_ever else "no-cache"
    return _answer(site, 200, TYPES[Path(plain).suffix], text, caching)


def _answer(site: Site, status: int, content_type: str, body: str, caching: str) -> dict[str, Any]:
    headers = {
        "Content-Type": content_type,
        "Cache-Control": caching,
        "Content-Security-Policy": site.policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Strict-Transport-Security": "max-age=31536000",
    }
    if not site.frame_ancestors:
        headers["X-Frame-Options"] = "DENY"
    return {"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": False}
