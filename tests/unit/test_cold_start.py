"""What each function may import: every library more is paid for at each cold start."""

import pytest

from tests.benchmarks.cold_start import FUNCTIONS, PROJECT, init

# botocore brings all of these along; boto3 would bring s3transfer, a fifth of the others' time
_AWS = {"botocore", "dateutil", "jmespath", "six", "urllib3"}
_LOGGER = {"aws_lambda_powertools"}
# settings are read by it, and at 60 ms it is not free: nothing else of a hot path may need it
_SETTINGS = {"pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"}
_HTTP = {
    "httpx", "httpx_aiohttp", "httpcore", "h11", "anyio", "sniffio", "aiohttp", "aiohappyeyeballs", "aiosignal", "attr",
    "attrs", "frozenlist", "multidict", "propcache", "yarl", "idna", "certifi",
}  # fmt: skip
# httpx imports them for its command line where they are installed; the layer has none of them
_NOT_SHIPPED = {"click", "rich", "pygments"}
_SEALED = {"cryptography", "cffi", "cython_runtime"}
_PLAIN = _AWS | _LOGGER | _SETTINGS | {"certifi"}
ALLOWED = {
    "api": _PLAIN | _SEALED | {"pynamodb", "prometheus_client", "idna"},
    "authorizer": _PLAIN | _SEALED | {"jwt"},
    "dashboard": _SETTINGS,
    "ingest": _PLAIN,
    "release": _PLAIN,
    "replay": _PLAIN,
    "rollup": _PLAIN,
    "sender": _PLAIN | _SEALED | _HTTP | _NOT_SHIPPED,
}


def _own(function: str) -> set[str]:
    modules = {path.stem for path in (PROJECT / "functions" / function).iterdir()}
    return modules | {"webhooks"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_imports_no_library_that_is_not_on_its_list(function: str) -> None:
    libraries = init(function)["libraries"]
    assert isinstance(libraries, list)
    assert set(libraries) - ALLOWED[function] - _own(function) == set()


def test_every_function_has_a_list() -> None:
    folders = {path.parent.name for path in (PROJECT / "functions").glob("*/app.py")}
    assert folders == set(FUNCTIONS) == set(ALLOWED)
