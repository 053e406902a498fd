"""The result of a webhook's test call, as the sender answers it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class SentRequest(BaseModel):
    """What the receiver was sent. The values of the owner's own headers are masked: they may be credentials."""

    model_config = ConfigDict(frozen=True)

    headers: dict[str, str]
    body: str


class TestResponse(BaseModel):
    """What came back: the start of the body as far as it is text."""

    model_config = ConfigDict(frozen=True)

    headers: list[tuple[str, str]]
    body: str


class TestResult(BaseModel):
    """One test delivery. Exactly one of `status_code` and `error_code` is set; a test is never retried."""

    model_config = ConfigDict(frozen=True)

    succeeded: Annotated[bool, Field(description="whether the receiver answered with 2xx")]
    status_code: int | None = None
    error_code: Annotated[str | None, Field(description="unreachable, refused_address, timeout, tls, ...")] = None
    error_message: str | None = None
    remark: Annotated[str | None, Field(description="what was wrong with the answer beyond its status")] = None
    duration_ms: int
    event_id: str
    delivery_id: Annotated[
        str | None, Field(description="of its record among the webhook's deliveries; null where none could be made")
    ] = None
    request: SentRequest
    response: TestResponse | None = None
