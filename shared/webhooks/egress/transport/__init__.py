"""Sending one HTTP request to a receiver that may be down, slow or hostile. Nothing else imports httpx or aiohttp."""

from webhooks.egress.transport.client import HttpTransport
from webhooks.egress.transport.resolver import Resolver, SystemResolver

__all__ = ["HttpTransport", "Resolver", "SystemResolver"]
