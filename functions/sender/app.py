"""Lambda: delivery messages become HTTP requests, and their outcomes are recorded. Also makes test deliveries."""

import gc

gc.disable()  # until all is there: see settle

import asyncio
import os

from aws_lambda_powertools import Logger

from composition import build
from webhooks.aws.clients import Clients
from webhooks.egress.policy import EgressPolicy
from webhooks.egress.transport import HttpTransport
from webhooks.runtime import settle
from webhooks.settings import SenderSettings

settings = SenderSettings.read(os.environ)
handler = build(
    settings,
    Clients(),
    HttpTransport(EgressPolicy.from_settings(settings)),
    asyncio.new_event_loop(),
    Logger(service="webhooks", level=settings.log_level),
)
settle()
