"""What owners ask of the API beyond their webhooks, put together as functions/api/app.py does."""

from tests.fakes.world import TABLE, World
from webhooks.dead_letter_management import DeadLetterManagement
from webhooks.delivery_history import DeliveryHistory
from webhooks.outstanding import Outstanding
from webhooks.queue import Queue, SqsDeliveries, SqsJobs
from webhooks.recovery import Recovery
from webhooks.replay import Replayer
from webhooks.store.dead_letters import DeadLetterStore
from webhooks.store.dynamo import DynamoTable
from webhooks.store.events import EventStore
from webhooks.store.history import HistoryStore
from webhooks.store.missed import MissedStore
from webhooks.store.replay_jobs import ReplayJobStore
from webhooks.store.sending import SendingStore


class Api:
    """The use cases over a world's clients, whose faults strike here too."""

    def __init__(self, world: World) -> None:
        now_ms, retention_ms = world.clock.now_ms, world.services.retention_ms
        table = DynamoTable(world.clients["dynamodb"], TABLE, sleep=world.clock.sleep)
        letters, history = DeadLetterStore(table, retention_ms, now_ms), HistoryStore(table, now_ms)
        jobs, store = ReplayJobStore(table, retention_ms, now_ms), world.owners.store

        def queue(url: str) -> Queue:
            return Queue(world.clients["sqs"], url, sleep=world.clock.sleep)

        jobs_queue = SqsJobs(queue(world.jobs_queue.url))
        replayer = Replayer(
            SendingStore(table, retention_ms, now_ms),
            letters,
            SqsDeliveries(queue(world.delivery_queue.url)),
            now_ms=now_ms,
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
            outstanding=Outstanding(letters, MissedStore(table, now_ms)),
            replayer=replayer,
            jobs=jobs,
            queue=jobs_queue,
            now_ms=now_ms,
        )
