"""Endpoints, regions and credentials as botocore finds them, or left to it."""

import pytest
from botocore.session import Session

from webhooks.aws.direct import DirectDynamoDB, DirectKms, DirectSecretsManager, DirectSqs
from webhooks.aws.place import place_of

SERVICES = [kind.SERVICE for kind in (DirectDynamoDB, DirectSqs, DirectKms, DirectSecretsManager)]
LAMBDA = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s",
          "AWS_SESSION_TOKEN": "t"}  # fmt: skip
REGIONS = [
    (partition, region)
    for partition in Session().get_available_partitions()
    for region in Session().get_available_regions("sqs", partition)
]


@pytest.mark.parametrize("service", SERVICES)
def test_endpoints_are_botocores_in_every_region_that_it_knows(service: str) -> None:
    session = Session()
    found = {region: place_of(service, LAMBDA | {"AWS_DEFAULT_REGION": region}) for _, region in REGIONS}
    known = {region: place for region, place in found.items() if place is not None}
    assert known.keys() == {region for name, region in REGIONS if name in ("aws", "aws-cn", "aws-us-gov")}
    for region, place in known.items():
        assert place.region == region
        assert place.endpoint_url == session.create_client(service, region_name=region).meta.endpoint_url


def test_credentials_are_those_of_the_role() -> None:
    place = place_of("sqs", LAMBDA)
    assert place is not None
    credentials = place.credentials()
    assert (credentials.access_key, credentials.secret_key, credentials.token) == ("AKID", "s", "t")


def test_endpoints_that_are_given_are_taken_the_services_own_first() -> None:
    given = LAMBDA | {"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_SQS": "http://sqs"}
    assert [place and place.endpoint_url for place in (place_of("sqs", given), place_of("kms", given))] == [
        "http://sqs", "http://all",
    ]  # fmt: skip


@pytest.mark.parametrize("missing", ["AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_without_a_region_or_credentials_botocore_is_asked(missing: str) -> None:
    assert place_of("sqs", {name: value for name, value in LAMBDA.items() if name != missing}) is None


@pytest.mark.parametrize(
    "name",
    ["HTTPS_PROXY", "https_proxy", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN",
     "AWS_CREDENTIAL_EXPIRATION", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
     "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"],
)  # fmt: skip
def test_what_only_botocore_understands_is_left_to_it(name: str) -> None:
    assert place_of("sqs", LAMBDA | {name: "x"}) is None
