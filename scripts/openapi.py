"""docs/openapi.json: write what the api's code says of itself, or tell whether the file is up to date."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger

PROJECT = Path(__file__).parents[1]
DOCUMENT = PROJECT / "docs" / "openapi.json"

sys.path.append(str(PROJECT / "functions" / "api"))  # where Lambda has it


def main() -> int:
    """Write the document, or compare it with `--check`."""
    from api import UseCases, create
    from openapi import openapi_text

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the document is not up to date")
    uncalled: dict[str, Any] = {field.name: None for field in fields(UseCases)}  # a description calls no use case
    text = openapi_text(create(UseCases(**uncalled), cors_allowed_origins=(), logger=Logger(service="openapi")))
    if not parser.parse_args().check:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(text, encoding="utf-8")
        return 0
    if DOCUMENT.is_file() and DOCUMENT.read_text(encoding="utf-8") == text:
        return 0
    print("docs/openapi.json is not what the code says: run `make openapi`.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
