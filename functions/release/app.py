"""Lambda: each minute, deliveries that wait outside SQS go back in when their time has come."""

import gc

gc.disable()  # until all is there: see settle

import os
from concurrent.futures import ThreadPoolExecutor

from aws_lambda_powertools import Logger

from composition import build
from webhooks.aws.clients import Clients
from webhooks.runtime import settle
from webhooks.settings import ReleaseSettings

THREADS = 8  # boto3's clients keep ten connections

settings = ReleaseSettings.read(os.environ)
handler = build(
    settings,
    Clients(),
    Logger(service="webhooks", level=settings.log_level),
    each=ThreadPoolExecutor(THREADS).map,
)
settle()
