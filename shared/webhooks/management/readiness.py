"""Whether the parts that the service stands on answer."""

from collections.abc import Callable, Mapping

from webhooks.errors import Unavailable

Checks = Mapping[str, Callable[[], None]]


def failures(checks: Checks) -> dict[str, str]:
    """What went wrong, by the name of the part; empty when all is well. A check raises Unavailable."""
    failed: dict[str, str] = {}
    for name, check in checks.items():
        try:
            check()
        except Unavailable as exc:
            failed[name] = str(exc)
    return failed
