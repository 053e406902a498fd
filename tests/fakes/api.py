"""What callers of the API have it do: the use cases as functions/api/composition.py puts them together, over given
clients."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tests.fakes.functions import Services
from tests.fakes.owners import Owners
from tests.fakes.pynamo import models
from tests.support.api_function import composition
from webhooks.settings import ApiSettings


class Api:
    """One process of the api. Management of webhooks is in `owners`."""

    def __init__(self, services: Services, *, sleep: Callable[[float], None] | None = None, **variables: str) -> None:
        more = {name.upper(): value for name, value in variables.items()}
        settings = ApiSettings.read(services.environment() | more)
        services = services if sleep is None else replace(services, sleep=sleep)
        ports = composition.adapters(
            settings,
            services.clients(),
            models=partial(models, services.dynamodb),
            runtime=services.runtime(),
        )
        self.use_cases = composition.use_cases(settings, ports, services.runtime())
        self.owners = Owners(self.use_cases, ports.webhooks)
        self.publishing = self.use_cases.publishing
        self.deliveries = self.use_cases.deliveries
        self.dead_letters = self.use_cases.dead_letters
        self.bulk_replays = self.use_cases.bulk_replays
        self.recovery = self.use_cases.recovery
        self.replays = self.use_cases.replays
