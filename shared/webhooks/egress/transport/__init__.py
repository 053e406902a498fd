"""Sending one HTTP request to a receiver that may be down, slow or hostile. Nothing else imports httpx or aiohttp."""

import os

# aiohttp loads the machine's authorities twice while it is imported, which takes 60 ms of a cold start, for connections
# that bring none. All of ours do (`client`); one that did not would trust nobody.
_given = os.environ.get("SSL_CERT_FILE")
os.environ["SSL_CERT_FILE"] = os.devnull
try:
    import aiohttp as aiohttp
finally:
    del os.environ["SSL_CERT_FILE"]
    if _given is not None:
        os.environ["SSL_CERT_FILE"] = _given

from webhooks.egress.transport.client import HttpTransport  # noqa: E402
from webhooks.egress.transport.resolver import Resolver, SystemResolver  # noqa: E402

__all__ = ["HttpTransport", "Resolver", "SystemResolver"]
