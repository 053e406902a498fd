"""Errors as botocore raises them."""

from typing import Any

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError


def client_error(operation: str, code: str, message: str = "", **extra: Any) -> ClientError:
    """What AWS answered instead of doing it."""
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "fake", "HTTPHeaders": {}},
        **extra,
    }
    return ClientError(response, operation)  # type: ignore[arg-type]


def validation(operation: str, message: str) -> ClientError:
    """DynamoDB does not understand the request."""
    return client_error(operation, "ValidationException", message)


def no_connection() -> ConnectTimeoutError:
    """The request never got there."""
    return ConnectTimeoutError(endpoint_url="https://fake")


def lost_answer() -> ReadTimeoutError:
    """The request got there; its answer did not come back."""
    return ReadTimeoutError(endpoint_url="https://fake")
