"""Faults of a network that no socket here can have: what the owner is told, and what stays with us."""

import errno
import ssl

import httpx
import pytest

from webhooks.egress.policy import Destination
from webhooks.egress.transport.failures import NO_CONNECTION, UNREACHABLE, classify
from webhooks.egress.transport.pinned import CURRENT_PIN, Pin, PinnedResolver
from webhooks.errors import RefusedDestination, Unavailable


def raised_from(cause: Exception) -> httpx.ConnectError:
    error = httpx.ConnectError("wrapped")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (ssl.SSLError(1, "wrong version number"), "tls"),
        (OSError(errno.ETIMEDOUT, "timed out"), "connect_timeout"),
        (OSError(errno.EHOSTUNREACH, "no route to host 10.0.0.1"), UNREACHABLE),
        (OSError(errno.ENETUNREACH, "network is unreachable"), UNREACHABLE),
        (ValueError("garbage"), "protocol"),
    ],
)
def test_each_cause_has_its_code_and_its_detail_is_not_for_the_owner(cause: Exception, code: str) -> None:
    failure = classify(raised_from(cause))
    assert failure.code == code
    assert str(cause) in failure.detail
    assert str(cause) not in failure.message


def test_no_route_is_told_like_every_other_missing_connection() -> None:
    assert classify(OSError(errno.EHOSTUNREACH, "no route")).message == NO_CONNECTION


async def test_no_name_is_resolved_but_the_one_that_was_judged() -> None:
    judged = Destination("https", "good.example", 443, "https://good.example/", is_literal=False)
    CURRENT_PIN.set(Pin(judged, ("127.0.0.2",), "pool", {}))
    (found,) = await PinnedResolver().resolve("good.example", 443)
    assert found["host"] == "127.0.0.2"
    with pytest.raises(RefusedDestination):
        await PinnedResolver().resolve("other.example", 443)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL])
def test_a_process_without_sockets_is_no_fault_of_the_receiver(code: int) -> None:
    with pytest.raises(Unavailable):
        classify(raised_from(OSError(code, "none left")))
