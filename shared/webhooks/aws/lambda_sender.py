"""The sender as a Lambda function that is invoked and waited for."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from webhooks.errors import Unavailable
from webhooks.models.test_result import TestResult
from webhooks.payload import dumps, serialise_noting_numbers


class LambdaSender:
    """Speaks to the sender function, and to the one with static addresses where there is one. `client` is boto3's for
    Lambda, and does not retry."""

    def __init__(self, client: Any, function_name: str, static_function_name: str | None = None) -> None:  # noqa: ANN401
        self._client = client
        self._function_name = function_name
        self._static_function_name = static_function_name

    def send_test(self, webhook_id: str, payload: Mapping[str, object], *, static_egress: bool = False) -> TestResult:
        """Send one event to the webhook at once. Raises Unavailable, also where no sender has static addresses."""
        function_name = self._static_function_name if static_egress else self._function_name
        if function_name is None:
            raise Unavailable("no sender has static addresses")
        test: dict[str, object] = {"webhook_id": webhook_id, "event": payload}
        body, has_numbers = serialise_noting_numbers(payload)
        if has_numbers:  # which Lambda would read as floats
            test["body"] = body.decode()
        try:
            answer = self._client.invoke(FunctionName=function_name, Payload=dumps({"test": test}).encode())
            if "FunctionError" in answer:
                raise Unavailable("the sender failed at the test delivery")
            return TestResult.model_validate_json(answer["Payload"].read())
        except ClientError as exc:
            raise Unavailable(f"Lambda: {exc.response.get('Error', {}).get('Code', '')}") from exc
        except BotoCoreError as exc:
            raise Unavailable(f"Lambda: {type(exc).__name__}") from exc
        except ValidationError as exc:
            raise Unavailable("the sender's answer is not that of a test delivery") from exc
