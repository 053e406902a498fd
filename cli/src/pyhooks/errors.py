"""What ends a command, in words and with an exit code (docs/cli.md).

PyhooksError            1
├── Failed              1: the service failed, asks to wait, or answers what nobody expects
├── UsageError          2, click's own
├── NotLoggedIn         3: no key, or one that is not valid any more, or may not do this
├── NotFound            4
├── Refused             5: what was asked for is wrong, or the present state of things does not allow it
├── NoConnection        6
└── DoesNotFit          7: a signature, or something that `doctor` looked at
"""

import click


class PyhooksError(click.ClickException):
    """Any of them."""

    exit_code = 1

    def show(self, file: object = None) -> None:
        """On standard error, so that `--json` stays JSON."""
        click.secho(f"Error: {self.message}", err=True, fg="red" if _in_colour() else None)


class Failed(PyhooksError):
    """The service did not do it, though nothing was wrong with what was asked for: another time it may."""


class NotLoggedIn(PyhooksError):
    """There is no key, or it does not allow this."""

    exit_code = 3


class NotFound(PyhooksError):
    """It does not exist, or is somebody else's; or the server has no such route."""

    exit_code = 4


class Refused(PyhooksError):
    """A request that is wrong as it is, or cannot be done now."""

    exit_code = 5


class NoConnection(PyhooksError):
    """No answer came."""

    exit_code = 6


class DoesNotFit(PyhooksError):
    """A check that failed."""

    exit_code = 7


def _in_colour() -> bool:
    import sys

    return sys.stderr.isatty()
