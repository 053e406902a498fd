"""Each function's environment, validated once at start and frozen.

Variables are the upper-case field names; docs/configuration.md says what each means.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from webhooks.event_types import DEFAULT_EVENT_TYPES


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


CommaSeparated = Annotated[tuple[str, ...], BeforeValidator(_split)]


class Settings(BaseModel):
    """What every function has."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)  # a function needs one of them

    stage: str = "local"
    log_level: str = "INFO"

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Raises pydantic.ValidationError naming each variable that is missing or wrong."""
        names = cls.model_fields
        return cls.model_validate(
            {name: environ[name.upper()] for name in names if environ.get(name.upper()) not in (None, "")}
        )


class EgressSettings(Settings):
    """Where deliveries may go. `egress_allow_http` and `egress_allowed_networks` are for the local stage alone."""

    egress_ports: str = "443,8443"
    own_hosts: CommaSeparated = ()
    egress_allow_http: bool = False
    egress_allowed_networks: CommaSeparated = ()
    egress_dns64_prefixes: CommaSeparated = ()


class RetentionSettings(Settings):
    """How long finished things are kept."""

    retention_days: int = Field(default=30, ge=1, le=3650)

    @property
    def retention_ms(self) -> int:
        """The same in milliseconds."""
        return self.retention_days * 86_400_000


class IngestSettings(RetentionSettings):
    """functions/ingest"""

    table_name: str
    ingest_queue_url: str
    ingest_dead_letter_queue_url: str
    delivery_queue_url: str
    static_delivery_queue_url: str | None = None
    event_types: CommaSeparated = DEFAULT_EVENT_TYPES
    event_source: str = "pyairtable"
    list_events: bool = False
    event_days: int = Field(default=0, ge=0, le=3650)

    @property
    def event_ms(self) -> int:
        """How long an event is kept that does not say it itself, in milliseconds."""
        return min(self.event_days or self.retention_days, self.retention_days) * 86_400_000


class SenderSettings(EgressSettings, RetentionSettings):
    """functions/sender"""

    table_name: str
    delivery_queue_url: str
    dead_letter_queue_url: str
    data_key_id: str
    header_prefix: str = "X-PyAirtable"
    user_agent: str = "PyAirtable-Webhooks/1.0"
    max_wait_days: int = Field(default=14, ge=1, le=365)
    keep_success_answers: bool = True
    retry_base_seconds: float = Field(default=5, gt=0, le=3600)
    slow_attempts_per_tenant: int = Field(default=25, ge=1)
    host_requests_per_second: int = Field(default=400, ge=0)
    sender_maximum_concurrency: int = Field(default=100, ge=1)
    static_egress: bool = False
    metrics_function: str | None = None


class ReplaySettings(RetentionSettings):
    """functions/replay"""

    table_name: str
    delivery_queue_url: str
    static_delivery_queue_url: str | None = None
    jobs_queue_url: str
    event_bus_name: str
    event_source: str = "pyairtable"


class ReleaseSettings(RetentionSettings):
    """functions/release"""

    table_name: str
    delivery_queue_url: str
    static_delivery_queue_url: str | None = None
    slow_attempts_per_tenant: int = Field(default=25, ge=1)
    host_requests_per_second: int = Field(default=400, ge=0)


class RollupSettings(RetentionSettings):
    """functions/rollup"""

    table_name: str
    event_bus_name: str
    event_source: str = "pyairtable"


class ApiSettings(EgressSettings, RetentionSettings):
    """functions/api"""

    table_name: str
    ingest_queue_url: str
    delivery_queue_url: str
    static_delivery_queue_url: str | None = None
    dead_letter_queue_url: str
    jobs_queue_url: str
    ingest_dead_letter_queue_url: str | None = None
    jobs_dead_letter_queue_url: str | None = None
    rule_target_dead_letter_queue_url: str | None = None
    stream_failures_queue_url: str | None = None
    api_name: str | None = None  # API Gateway's, in CloudWatch
    sender_function_name: str
    static_sender_function_name: str | None = None
    static_egress_addresses: CommaSeparated = ()
    data_key_id: str
    event_types: CommaSeparated = DEFAULT_EVENT_TYPES
    header_prefix: str = "X-PyAirtable"
    user_agent: str = "PyAirtable-Webhooks/1.0"
    auth_mode: Literal["jwt", "header"] = "jwt"
    cors_allowed_origins: CommaSeparated = ("*",)
    tenant_rate_limit: float = Field(default=100, ge=0)
    max_webhooks_per_tenant: int = Field(default=1000, ge=1)
    max_tests_per_tenant: int = Field(default=5, ge=1)
    max_tests: int = Field(default=50, ge=1)
    max_polls_per_tenant: int = Field(default=5, ge=0)
    max_polls: int = Field(default=50, ge=0)
    max_replays_per_tenant: int = Field(default=20, ge=1)
    max_filter_kilobytes_per_scope: int = Field(default=1024, ge=1)
    max_filter_searches_per_scope: int = Field(default=500, ge=0)
    audit_days: int = Field(default=365, ge=1, le=3650)
    list_events: bool = False

    @property
    def audit_ms(self) -> int:
        """How long entries of the audit log are kept, in milliseconds."""
        return self.audit_days * 86_400_000


class DashboardSettings(Settings):
    """functions/dashboard. Origins in `dashboard_frame_ancestors` may embed the pages."""

    auth_mode: Literal["jwt", "header"] = "jwt"
    dashboard_frame_ancestors: CommaSeparated = ()
    static_egress: bool = False
    list_events: bool = False


class AuthorizerSettings(Settings):
    """functions/authorizer"""

    table_name: str
    auth_mode: Literal["jwt", "header"] = "jwt"
    jwt_secret_arn: str | None = None
    jwt_algorithms: CommaSeparated = ("HS256",)
    jwt_revoked: CommaSeparated = ()
    jwt_issuer: str = "pyairtable"
    jwt_audience: str = "pyairtable-webhooks"
    jwt_jwks_url: str | None = None
