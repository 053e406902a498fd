"""What each function may import: every library more is paid for at each cold start."""

import os
import subprocess
import sys

import certifi
import pytest

from tests.benchmarks.cold_start import FUNCTIONS, PROJECT, init

# botocore's exceptions alone; of its clients see NOT_AT_START
_AWS = {"botocore"}
_LOGGER = {"aws_lambda_powertools", "jmespath", "typing_extensions"}
_MODELS = {"pydantic", "pydantic_core", "annotated_types", "typing_inspection"}
_HTTP = {
    "httpx", "httpx_aiohttp", "httpcore", "h11", "anyio", "sniffio", "aiohttp", "aiohappyeyeballs", "aiosignal", "attr",
    "attrs", "frozenlist", "multidict", "propcache", "yarl", "idna", "certifi",
}  # fmt: skip
# httpx imports them for its command line where they are installed, aiohttp looks for a backport; the layer has none
_NOT_SHIPPED = {"click", "rich", "pygments", "backports"}
_SEALED = {"cryptography", "cffi", "cython_runtime"}
_PLAIN = _AWS | _LOGGER
ALLOWED = {
    "api": _PLAIN | _SEALED | _MODELS | {"idna"},
    "authorizer": _PLAIN | _SEALED | {"jwt"},
    "dashboard": set[str](),
    "ingest": _PLAIN,
    "release": _PLAIN,
    "replay": _PLAIN,
    "rollup": _PLAIN,
    "sender": _PLAIN | _SEALED | _HTTP | _NOT_SHIPPED,
}

# Each takes 10 to 150 ms: botocore's clients, its own HTTP, TLS' authorities and what these bring along.
NOT_AT_START = {
    "boto3", "botocore.session", "botocore.client", "botocore.config", "urllib3", "dateutil", "urllib.request",
    "http.client", "asyncio", "aiohttp.web",
    "aws_lambda_powertools.event_handler.openapi.models",  # for the API's description
}  # fmt: skip
NEEDED = {
    "sender": {"asyncio", "http.client", "urllib.request"},  # all by way of aiohttp
    "authorizer": {"http.client", "urllib.request"},  # pyjwt's, for published keys
    "api": {"asyncio"},  # powertools'
}


def _own(function: str) -> set[str]:
    modules = {path.stem for path in (PROJECT / "functions" / function).iterdir()}
    return modules | {"webhooks"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_imports_no_library_that_is_not_on_its_list(function: str) -> None:
    libraries = init(function)["libraries"]
    assert isinstance(libraries, list)
    assert set(libraries) - ALLOWED[function] - _own(function) == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_leaves_for_later_what_takes_long_and_is_seldom_needed(function: str) -> None:
    modules = init(function)["modules"]
    assert isinstance(modules, list)
    assert NOT_AT_START.intersection(modules) == NEEDED.get(function, set())


def test_the_senders_http_client_loads_no_authorities_while_it_is_imported() -> None:
    ask = "import webhooks.egress.transport, aiohttp.connector as c, os; print([each.cert_store_stats()['x509_ca'] " \
        "for each in (c._SSL_CONTEXT_VERIFIED, c._SSL_CONTEXT_UNVERIFIED)], os.environ['SSL_CERT_FILE'])"  # fmt: skip
    bundle = certifi.where()
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "shared"), "SSL_CERT_FILE": bundle}
    done = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[0,", "0]", bundle]


def test_every_function_has_a_list() -> None:
    folders = {path.parent.name for path in (PROJECT / "functions").glob("*/app.py")}
    assert folders == set(FUNCTIONS) == set(ALLOWED)
