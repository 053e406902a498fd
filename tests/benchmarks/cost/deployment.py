"""Parameters of template.yaml that a month's price depends on."""

from dataclasses import dataclass, fields, replace

from tests.benchmarks.cost.prices import PRICES

INDEXES = 3
# Target tracking of DynamoDB keeps four alarms for reads, and four for writes, of the table and each index.
ALARMS = 4 * 2 * (1 + INDEXES)


@dataclass(frozen=True, slots=True)
class Deployment:
    """By the names that the template has, with its defaults. Batches are as large as the smaller of the two sizes."""

    SenderBatchSize: int = 10
    IngestBatchSize: int = 10
    BatchingSeconds: int = 0
    RetentionDays: int = 30
    EventDays: int = 0
    KeepSuccessAnswers: str = "true"
    LogLevel: str = "INFO"
    TableCapacity: str = "on-demand"
    TableMinimum: int = 25
    IndexMinimum: int = 5
    TableUsePercent: int = 70

    @classmethod
    def of(cls, text: str) -> "Deployment":
        """From "EventDays=7 TableCapacity=provisioned", as `make deploy PARAMETERS=` takes it. Raises ValueError."""
        kinds: dict[str, type[int | str]] = {each.name: type(getattr(cls(), each.name)) for each in fields(cls)}
        values: dict[str, int | str] = {}
        for part in text.split():
            name, _, value = part.partition("=")
            if name not in kinds:
                raise ValueError(f"no price depends on {name!r}; it does on {', '.join(kinds)}")
            try:
                values[name] = kinds[name](value)
            except ValueError:
                raise ValueError(f"{name} has to be a number, not {value!r}") from None
        return replace(cls(), **values)

    @property
    def batch_size(self) -> int:
        """Messages of a full batch."""
        return min(self.SenderBatchSize, self.IngestBatchSize)

    @property
    def window_s(self) -> int:
        """How long a batch waits for more; AWS demands a second for batches of 100."""
        return self.BatchingSeconds or (1 if self.batch_size > 10 else 0)

    @property
    def event_days(self) -> int:
        """How long an event is kept."""
        return min(self.EventDays or self.RetentionDays, self.RetentionDays)

    @property
    def variables(self) -> dict[str, str]:
        """What of it functions are told."""
        return {"KEEP_SUCCESS_ANSWERS": self.KeepSuccessAnswers}


def provision(month: dict[str, float], deployment: Deployment, hours: float) -> None:
    """Turn a month's dollars for units into those for capacity at a steady rate: what is used and its headroom, or the
    minimum."""
    for kind, unit in (("writes", "dynamodb_write"), ("reads", "dynamodb_read")):
        lines = [name for name in month if name.startswith(f"DynamoDB {kind}")]
        on_demand = sum(month[name] for name in lines)
        used = on_demand / PRICES[unit].dollars / hours / 3600
        capacity = max(deployment.TableMinimum, used / deployment.TableUsePercent * 100)
        dollars = capacity * hours * PRICES[f"{unit}_hour"].dollars
        for name in lines:
            month[name] *= dollars / on_demand
    each = PRICES["dynamodb_write_hour"].dollars + PRICES["dynamodb_read_hour"].dollars
    month["DynamoDB indexes, at least"] = INDEXES * deployment.IndexMinimum * each * hours
    month["alarms of auto scaling"] = ALARMS * PRICES["alarm_month"].dollars
