"""`login`, `logout` and `profiles`."""

import os
import sys

import click

from pyhooks.api import Api
from pyhooks.errors import NotLoggedIn
from pyhooks.options import URL, as_url, everywhere, settings
from pyhooks.output import listed, said
from pyhooks.profiles import Profile, Profiles, secrets

_LOCAL = "http://localhost:8086"


@click.command
@everywhere
def login() -> None:
    """Keep a deployment's URL and your key.

    The key is an API key (pyak_...) or a token. It is asked for, or read from standard input where that is no terminal:

        make token USER_ID=123 | pyhooks login --url http://localhost:8086
    """
    given = settings()
    profiles = Profiles()
    name = given.profile or "default"
    present = profiles.get(name)
    url = given.url or os.environ.get(URL)
    if not url and not sys.stdin.isatty():
        url = present.url if present else _LOCAL
    url = as_url(url or str(click.prompt("The service's URL", default=present.url if present else _LOCAL)))
    if sys.stdin.isatty():
        key = str(click.prompt("API key or token", hide_input=True)).strip()
    else:
        key = sys.stdin.read().strip()
    if not key or any(each.isspace() or not each.isascii() for each in key):
        raise click.UsageError("The key must be one word. From a file: pyhooks login < key.txt")
    if url.startswith("http://") and not _is_here(url):
        said(f"Everybody on the way to {url} can read your key: use https.")
    with Api(url, key) as api:
        check(api)
    profile, kept = Profile(name, url), secrets()
    if present and present.url != url:
        kept.remove(present.key_name)
    kept.put(profile.key_name, key)
    profiles.save(profile, default=not given.profile)
    said(f"Logged in to {url} as profile {name}. The key is in {kept.place}.")


@click.command
@everywhere
def logout() -> None:
    """Forget a profile and its key."""
    profiles = Profiles()
    name = settings().profile or profiles.default
    profile = profiles.get(name)
    if profile is None:
        raise NotLoggedIn(f"There is no profile {name}.")
    secrets().remove(profile.key_name)
    profiles.remove(name)
    said(f"Profile {name} and its key are gone. An API key is still valid until it is revoked.")


@click.command("profiles")
@everywhere
def list_profiles() -> None:
    """Show the profiles, and which one counts."""
    profiles = Profiles()
    rows = [{"name": each.name, "url": each.url, "default": each.name == profiles.default} for each in profiles.all()]
    listed(rows, ["name", "url", "default"], nothing="There are none. Make one: pyhooks login")


def check(api: Api) -> None:
    """Raises NotLoggedIn for a key that is not valid; one that may not read is."""
    try:
        api.get("event-types")
    except NotLoggedIn as error:
        if "takes the scope" not in error.message:
            raise


def _is_here(url: str) -> bool:
    import httpx

    return httpx.URL(url).host in ("localhost", "127.0.0.1", "::1")
