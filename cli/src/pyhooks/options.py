"""What every command takes: which deployment, and whether to print JSON."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from pyhooks.api import RETRIES, Api
from pyhooks.profiles import Login, login_for

URL, TOKEN, PROFILE = "PYHOOKS_URL", "PYHOOKS_TOKEN", "PYHOOKS_PROFILE"
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Settings:
    """What was given before or behind a command's name."""

    url: str | None = None
    profile: str | None = None
    json: bool = False

    def login(self) -> Login:
        """Who calls what. The key comes from PYHOOKS_TOKEN or `pyhooks login`, never from an argument."""
        url = self.url or (None if self.profile else os.environ.get(URL))
        profile = self.profile or (None if url else os.environ.get(PROFILE))
        return login_for(url and as_url(url), profile, os.environ.get(TOKEN))

    def api(self, *, retries: int = RETRIES, timeout_seconds: float = 30.0) -> Api:
        """The service of this login."""
        login = self.login()
        return Api(login.url, login.token, retries=retries, timeout_seconds=timeout_seconds)


def as_url(given: str) -> str:
    """The base URL of a deployment as it was typed or pasted. Raises BadParameter."""
    import httpx

    url = given.strip().rstrip("/").removesuffix("/api/v1")
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise click.BadParameter(f"{given} is not a URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.userinfo:
        raise click.BadParameter(f"{given} is not a URL such as https://abc.execute-api.eu-west-1.amazonaws.com/prod")
    return url


def settings() -> Settings:
    """Those of the command that runs."""
    return click.get_current_context().find_root().ensure_object(Settings)


def _note(context: click.Context, parameter: click.Parameter, value: object) -> None:
    if value:
        setattr(context.find_root().ensure_object(Settings), str(parameter.name), value)


def everywhere(function: F) -> F:
    """Options of every command, before or behind its name."""
    options = (
        click.option("--url", metavar="URL", callback=_note, expose_value=False, help=f"The service's URL [{URL}]."),
        click.option(
            "--profile", metavar="NAME", callback=_note, expose_value=False, shell_complete=_profiles,
            help=f"What `pyhooks login` kept under this name [{PROFILE}].",
        ),
        click.option("--json", is_flag=True, callback=_note, expose_value=False, help="Print what the service says."),
    )  # fmt: skip
    for each in reversed(options):
        function = each(function)
    return function


def _profiles(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    from pyhooks.profiles import Profiles

    return [each.name for each in Profiles().all() if each.name.startswith(begun)]
