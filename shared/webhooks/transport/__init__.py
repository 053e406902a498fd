"""Sending one HTTP request to a receiver that may be down, slow or hostile. Nothing else imports httpx or aiohttp."""

from webhooks.transport.client import HttpTransport, Transport
from webhooks.transport.resolver import Resolver, SystemResolver

__all__ = ["HttpTransport", "Resolver", "SystemResolver", "Transport"]
