"""What callers of the API have it do: the use cases over given clients, put together as functions/api/app.py does."""

from tests.fakes.functions import Services
from tests.fakes.owners import Owners
from webhooks.aws.sqs import SqsDeliveries, SqsIngest, SqsJobs
from webhooks.event_types import DEFAULT_EVENT_TYPES
from webhooks.events.publishing import Publishing
from webhooks.management.dead_letters import DeadLetterManagement
from webhooks.management.deliveries import DeliveryHistory
from webhooks.management.recovery import Recovery
from webhooks.recovery.replay import Replayer
from webhooks.recovery.replay_source import ReplaySource
from webhooks.store.dead_letters import DeadLetterStore
from webhooks.store.delivery_context import DeliveryContextStore
from webhooks.store.events import EventStore
from webhooks.store.history import HistoryStore
from webhooks.store.missed import MissedStore
from webhooks.store.replay_jobs import ReplayJobStore


class Api:
    """One process of the api. Management of webhooks is in `owners`."""

    def __init__(self, services: Services) -> None:
        now_ms, retention_ms, table = services.clock.now_ms, services.retention_ms, services.table()
        self.owners = Owners(services.clock, services.dynamodb, services.table_name, services.kms)
        store = self.owners.store
        letters, history = DeadLetterStore(table, retention_ms, now_ms), HistoryStore(table, now_ms)
        jobs, jobs_queue = ReplayJobStore(table, retention_ms, now_ms), SqsJobs(services.queue("jobs"))
        sending = DeliveryContextStore(table, retention_ms, now_ms)
        replayer = Replayer(sending, letters, SqsDeliveries(services.queue("delivery")), now_ms=now_ms)
        self.publishing = Publishing(
            queue=SqsIngest(services.queue("ingest")), event_types=DEFAULT_EVENT_TYPES, now_ms=now_ms
        )
        self.deliveries = DeliveryHistory(
            store=store,
            history=history,
            letters=letters,
            events=EventStore(table, retention_ms),
            replayer=replayer,
            header_prefix="X-PyAirtable",
            user_agent="PyAirtable-Webhooks/1.0",
            now_ms=now_ms,
        )
        self.dead_letters = DeadLetterManagement(
            store=store,
            history=history,
            letters=letters,
            replayer=replayer,
            jobs=jobs,
            queue=jobs_queue,
            now_ms=now_ms,
        )
        self.recovery = Recovery(
            store=store,
            outstanding=ReplaySource(letters, MissedStore(table, now_ms)),
            replayer=replayer,
            jobs=jobs,
            queue=jobs_queue,
            now_ms=now_ms,
        )
