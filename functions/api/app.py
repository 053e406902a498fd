"""Lambda: the REST API."""

import gc

gc.disable()  # until all is there: see settle

import os

from aws_lambda_powertools import Logger

from composition import build
from webhooks.aws.clients import Clients
from webhooks.runtime import settle
from webhooks.settings import ApiSettings

settings = ApiSettings.read(os.environ)
handler = build(settings, Clients(), Logger(service="webhooks", level=settings.log_level))
settle()
