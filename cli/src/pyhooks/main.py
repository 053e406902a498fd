"""The command `pyhooks`, put together."""

import importlib

import click

from pyhooks.api import own_version
from pyhooks.options import everywhere

# In the order of the help: where each command is. A module is imported when its command is used.
_COMMANDS = {
    "listen": "listen:listen",
    "trigger": "publish:trigger",
    "publish": "publish:publish",
    "tail": "tail:tail",
    "replay": "replay:replay",
    "verify": "verify:verify_request",
    "doctor": "doctor:doctor",
    "webhooks": "webhooks:webhooks",
    "subscriptions": "subscriptions:subscriptions",
    "events": "events:events",
    "deliveries": "deliveries:deliveries",
    "dead-letters": "dead_letters:dead_letters",
    "replays": "replay:replays",
    "login": "auth:login",
    "logout": "auth:logout",
    "profiles": "auth:list_profiles",
    "completion": "completion:completion",
}


class Commands(click.Group):
    """Those of the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As click asks for them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """As click asks for them."""
        module, _, attribute = _COMMANDS.get(cmd_name, "").partition(":")
        return getattr(importlib.import_module(f"pyhooks.commands.{module}"), attribute) if module else None

    def invoke(self, ctx: click.Context) -> object:
        """Ctrl-C is 130, as shells have it."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            click.echo(err=True)
            ctx.exit(130)


@click.group(
    "pyhooks", cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(own_version(), "--version", message="pyhooks %(version)s")
@everywhere
def cli() -> None:
    """PyAirtable Webhooks from a terminal.

    Begin with `pyhooks login`, and `pyhooks listen --forward-to localhost:3000`.
    """


def run() -> None:
    """Entry point."""
    cli(prog_name="pyhooks")
