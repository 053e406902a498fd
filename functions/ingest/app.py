"""Lambda: events from the ingest queue become delivery messages."""

import gc

gc.disable()  # until all is there: see settle

import os

from aws_lambda_powertools import Logger

from composition import build
from webhooks.aws.clients import Clients
from webhooks.runtime import settle
from webhooks.settings import IngestSettings

settings = IngestSettings.read(os.environ)
handler = build(settings, Clients(), Logger(service="webhooks", level=settings.log_level))
settle()
