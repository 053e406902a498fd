"""The running API against its own OpenAPI document: the short form of `make fuzz-api`."""

import pytest

from localstack.stack import LocalStack
from tests.conftest import Figure
from tests.security.fuzz_api import fuzz


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_generated_request_breaks_the_api_or_its_document(figure: Figure) -> None:
    with LocalStack(parameters={"TenantRateLimit": "0", "MaxWebhooksPerTenant": "1000000"}) as stack:
        done = fuzz(stack, examples=4, seed=4, phases="examples,fuzzing")
    assert done.passed, done.report
    assert done.cases > 100
    figure(f"contract: {done.cases:,} generated requests, all checks: 0 server errors, 0 contract breaks")
