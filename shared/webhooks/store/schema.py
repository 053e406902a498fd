"""The one place that knows the table's keys and attribute names.

| item               | pk                   | sk                | listing                     | overview          |
|--------------------|----------------------|-------------------|-----------------------------|-------------------|
| webhook            | wh_                  | webhook           | webhooks|owner / wh_        | webhooks / wh_    |
| webhook state      | wh_                  | state             |                             |                   |
| subscription       | wh_                  | sub#sub_          |                             |                   |
| route              | route|scope|pattern  | wh_               |                             |                   |
| route versions     | scope|scope          | versions          |                             |                   |
| event              | event|event id       | scope, scope|page | missed|scope|shard / time   | missed|user|shard |
| event's repeats    | repeat|event id      | scope|kind        |                             |                   |
| delivery           | wh_|shard            | dlv#dlv_          | wh_|status|shard / dlv_     |                   |
| attempt's detail   | wh_|shard            | att#dlv_#started  |                             |                   |
| dead letter        | wh_|shard            | dead#dlv_         | dead|owner|shard / dlv_     | dead|shard / dlv_ |
| replay job         | rpl_                 | job               | replays|owner / rpl_        | replays / rpl_    |
| idempotency key    | idem|caller|key      | idem              |                             |                   |
| wrapped data key   | datakey              | datakey           |                             |                   |
| ed25519 keys       | signingkeys          | signingkeys       |                             |                   |
| pull entry         | pull|wh_|shard       | got#entry id      |                             |                   |
| pull consumer      | pull|wh_             | consumer#name     |                             |                   |
| erased pull webhook| pull|wh_             | erased            |                             |                   |
| unreadable message | unreadable           | time, message id  |                             |                   |
| statistics         | stat|wh_             | stat#hour         | troubled|owner / hour|wh_   |                   |
| owner's statistics | own|owner            | stat#hour#shard   |                             |                   |
| owner's waiting    | own|owner            | count#shard       |                             |                   |
| owner's troubles   | own|owner            | trouble#kind#wh_  |                             |                   |
| counters           | count#service        | count#shard       |                             |                   |
| circuit not closed | count#circuits       | wh_               |                             |                   |
| counted records    | counted#2 seconds    | counted           |                             |                   |
| tenant's amounts   | tenant|owner         | amount            |                             |                   |
| what is under way  | slots|owner          | kind of it        |                             |                   |
| tenant's pace      | tenant|owner         | pace              |                             |                   |
| tenant's requests  | requests|owner       | 10 seconds        |                             |                   |
| host's requests    | host|host            | 10 seconds        |                             |                   |
| audit entry        | audit|owner          | aud_              |                             | audit|shard / aud_ |
| API key            | key_                 | key               | keys|owner / key_           | keys / key_       |
| erased tenant      | erased               | scope             |                             |                   |

All three indexes are sparse and hold keys only: what is delivered at the first try is written once, at one write unit,
and stands in none of them. `waiting` serves both waits outside SQS: due|shard / time, id for what falls due by time
(deliveries, and webhook states to wake), and room|wh_|shard / dlv_ for a webhook's waiting room. Where events are
listed, it has them by events|scope|shard / time, id.
"""

from webhooks.ids import HISTORY_SHARDS, history_shard

PK = "pk"
SK = "sk"
EXPIRES_AT = "expires_at"  # TTL, epoch seconds
WAITING_INDEX, WAITING_KEY, WAITING_AT = "waiting", "waiting_key", "waiting_at"
LISTING_INDEX, LISTING_KEY, LISTING_AT = "listing", "listing_key", "listing_at"
OVERVIEW_INDEX, OVERVIEW_KEY, OVERVIEW_AT = "overview", "overview_key", "overview_at"

WEBHOOK_SK = "webhook"
STATE_SK = "state"
SUBSCRIPTION_PREFIX = "sub#"
VERSIONS_SK = "versions"
DELIVERY_PREFIX = "dlv#"
ATTEMPT_PREFIX = "att#"
DEAD_PREFIX = "dead#"
PULL_PREFIX = "got#"
CONSUMER_PREFIX = "consumer#"
ERASED_SK = "erased"
JOB_SK = "job"
IDEMPOTENCY_SK = "idem"
DATA_KEY_PK = DATA_KEY_SK = "datakey"
SIGNING_KEYS_PK = SIGNING_KEYS_SK = "signingkeys"
UNREADABLE_PK = "unreadable"
ERASED_PK = "erased"
STATISTICS_PREFIX = "stat#"
COUNTER_PREFIX = "count#"
TROUBLE_PREFIX = "trouble#"
BEAT_PREFIX = "beat#"
COUNT_PREFIX = "c#"  # of the attributes that are counts
COUNTER_SHARDS = 16
COUNTERS_PK = "count#service"
CIRCUITS_PK = "count#circuits"
COUNTED_SK = "counted"
COUNTED_SECONDS = 2 * 86_400  # that a note of it stays: the stream may repeat a record for one day
AMOUNT_SK = "amount"
PACE_SK = "pace"
FILTER_BYTES, FILTER_SEARCHES = "#filter_bytes", "#filter_searches"  # beside patterns, none of which begins so
TAKEN = "taken"
SLOT_PREFIX = "slot_"  # and its number
WEBHOOKS_OVERVIEW = "webhooks"
REPLAYS_OVERVIEW = "replays"
AUDIT_SHARDS = 4  # everybody's entries: 1,000 a second each
KEY_SK = "key"
KEYS_OVERVIEW = "keys"

DUE_SHARDS = 16  # due keys take 16 x 1,000 writes a second; release asks each once a run


def history_pk(webhook_id: str, delivery_id: str) -> str:
    """Partition of a delivery, its attempts' details and its dead letter."""
    return f"{webhook_id}|{history_shard(delivery_id)}"


def history_pks(webhook_id: str) -> tuple[str, ...]:
    """All partitions of a webhook's history."""
    return tuple(f"{webhook_id}|{shard}" for shard in range(HISTORY_SHARDS))


def pull_pk(webhook_id: str, shard: int | None = None) -> str:
    """Partition of what a pull webhook has to read, or of its consumers. Ingest may touch no other one of a webhook."""
    return f"pull|{webhook_id}" if shard is None else f"pull|{webhook_id}|{shard}"


def delivery_sk(delivery_id: str) -> str:
    """Sort key of a delivery."""
    return f"{DELIVERY_PREFIX}{delivery_id}"


def attempt_sk(delivery_id: str, started_at_ms: int) -> str:
    """Sort key of the detail of the attempt that started then."""
    return f"{ATTEMPT_PREFIX}{delivery_id}#{started_at_ms:014d}"


def dead_sk(delivery_id: str) -> str:
    """Sort key of a dead letter."""
    return f"{DEAD_PREFIX}{delivery_id}"


def route_pk(scope: str, pattern: str) -> str:
    """Partition of all routes of a scope for one pattern of event types."""
    return f"route|{scope}|{pattern}"


def versions_pk(scope: str) -> str:
    """Partition of the item that counts the changes of a scope's routes, one attribute a pattern."""
    return f"scope|{scope}"


def event_pk(event_id: str) -> str:
    """Partition of an event, and of its namesakes in other scopes."""
    return f"event|{event_id}"


def event_sk(scope: str, page: int = 0) -> str:
    """Sort key of an event, or of a continuation page of its fan-out."""
    return scope if page == 0 else f"{scope}|{page:06d}"


def repeat_pk(event_id: str) -> str:
    """Partition of what is noted when an event's id is given again."""
    return f"repeat|{event_id}"


def due_key(shard: int) -> str:
    """Index key of what falls due by time."""
    return f"due|{shard % DUE_SHARDS}"


def due_at(time_ms: int, identifier: str = "") -> str:
    """Index sort key of what falls due; with no identifier, the bound that sorts before all of that time."""
    return f"{time_ms:014d}|{identifier}"


def room_key(webhook_id: str, shard: int) -> str:
    """Index key of one shard of a webhook's waiting room."""
    return f"room|{webhook_id}|{shard}"


def webhooks_listing(owner: str) -> str:
    """Index key of an owner's webhooks."""
    return f"webhooks|{owner}"


def status_listing(webhook_id: str, status: str, shard: int) -> str:
    """Index key of a webhook's deliveries of one status other than delivered."""
    return f"{webhook_id}|{status}|{shard}"


def dead_listing(owner: str, shard: int) -> str:
    """Index key of an owner's dead letters."""
    return f"dead|{owner}|{shard}"


def dead_overview(shard: int) -> str:
    """Index key of everybody's dead letters."""
    return f"dead|{shard}"


def replays_listing(owner: str) -> str:
    """Index key of the replay jobs of an owner's webhooks."""
    return f"replays|{owner}"


def keys_listing(owner: str) -> str:
    """Index key of an owner's API keys."""
    return f"keys|{owner}"


def portal_listing(owner: str) -> str:
    """Index key of the portal links for an owner, and of their sessions."""
    return f"portal|{owner}"


def audit_pk(owner: str) -> str:
    """Partition of what was done to an owner's things."""
    return f"audit|{owner}"


def audit_shard(entry_id: str) -> int:
    """Which shard of everybody's entries has this one."""
    return ord(entry_id[-1]) % AUDIT_SHARDS


def audit_overview(shard: int) -> str:
    """Index key of one shard of what was done to anybody's things."""
    return f"audit|{shard}"


def events_key(scope: str, shard: int) -> str:
    """Index key of one shard of a scope's events."""
    return f"events|{scope}|{shard}"


def missed_listing(scope: str, shard: int) -> str:
    """Index key of events that some webhook missed for its status."""
    return f"missed|{scope}|{shard}"


def idempotency_pk(caller: str, key: str) -> str:
    """Partition of one caller's idempotency key."""
    return f"idem|{caller}|{key}"


def statistics_pk(webhook_id: str) -> str:
    """Partition of a webhook's hourly statistics."""
    return f"stat|{webhook_id}"


def statistics_sk(hour_ms: int) -> str:
    """Sort key of the statistics of the hour that starts then."""
    return f"{STATISTICS_PREFIX}{hour_ms:014d}"


def owner_pk(owner: str) -> str:
    """Partition of the sums over an owner's webhooks, and of the list of those in trouble."""
    return f"own|{owner}"


def owner_statistics_sk(hour_ms: int, shard: int) -> str:
    """Sort key of one shard of an owner's statistics of the hour that starts then; they are the sum over its shards."""
    return f"{statistics_sk(hour_ms)}#{shard}"


def trouble_sk(kind: str, webhook_id: str) -> str:
    """Sort key of the note that a webhook's circuit is not closed, or that it is not active."""
    return f"{TROUBLE_PREFIX}{kind}#{webhook_id}"


def troubled_listing(owner: str) -> str:
    """Index key of the hours of an owner's webhooks in which something failed or had to wait."""
    return f"troubled|{owner}"


def troubled_at(hour_ms: int, webhook_id: str = "") -> str:
    """Index sort key of such an hour; with no webhook, the bound that sorts before all of that hour."""
    return f"{hour_ms:014d}|{webhook_id}"


def counter_shard(random: float) -> int:
    """The shard that a process adds to, drawn once: `random` is from 0 to below 1."""
    return int(random * COUNTER_SHARDS)


def counter_sk(shard: int) -> str:
    """Sort key of one shard of the service's counters; a counter is the sum over its shards."""
    return f"{COUNTER_PREFIX}{shard:02d}"


def beat_sk(stage: str) -> str:
    """Sort key, beside the counters, of the mark that a stage leaves."""
    return f"{BEAT_PREFIX}{stage}"


def counted_pk(window: int) -> str:
    """Partition of the item that remembers which stream records of two seconds are counted."""
    return f"counted#{window}"


def tenant_pk(owner: str) -> str:
    """Partition of what an owner has, counted."""
    return f"tenant|{owner}"


def requests_pk(owner: str) -> str:
    """Partition of the requests that an owner makes."""
    return f"requests|{owner}"


def host_pk(host: str) -> str:
    """Partition of the requests that are made to a host."""
    return f"host|{host}"


def slots_pk(owner: str | None) -> str:
    """Partition of what an owner, or all owners together (None), have under way, by kind."""
    return "all-slots" if owner is None else f"slots|{owner}"


def requests_sk(window: int) -> str:
    """Sort key of an owner's, or a host's, in one window of time."""
    return f"{window:012d}"
