"""`pyhooks completion`."""

import click
from click.shell_completion import get_completion_class

from pyhooks.options import everywhere


@click.command
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@everywhere
def completion(shell: str) -> None:
    """Print what completes commands in a shell.

    Options, profiles, webhooks and event types, too.

    For bash, in ~/.bashrc: eval "$(pyhooks completion bash)"
    """
    root = click.get_current_context().find_root()
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - of the choices above
    click.echo(kind(root.command, {}, "pyhooks", "_PYHOOKS_COMPLETE").source())
