"""Where the local stack of a folder listens, for those who did not start it: `make demo`, `make token`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import boto3

from localstack.emulator import REGION, LocalStackError


def client(endpoint_url: str, service: str, region: str = REGION) -> Any:
    """A boto3 client for the emulator, whatever credentials and region the caller's environment has."""
    session: Any = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=region)  # noqa: S106
    return session.client(service, endpoint_url=endpoint_url)


@dataclass(frozen=True, slots=True)
class Running:
    """A local stack that runs now."""

    base_url: str
    endpoint_url: str
    outputs: Mapping[str, str]

    @classmethod
    def read(cls, state_dir: Path) -> Self:
        """Raises LocalStackError when none runs."""
        try:
            return cls(**json.loads(_path(state_dir).read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise LocalStackError("The local stack does not run. Start it in another terminal: make run") from None

    def write(self, state_dir: Path) -> None:
        """Say that it runs."""
        _path(state_dir).write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")

    @staticmethod
    def remove(state_dir: Path) -> None:
        """Say that it does no more."""
        _path(state_dir).unlink(missing_ok=True)

    def client(self, service: str) -> Any:
        """A boto3 client for its emulator."""
        return client(self.endpoint_url, service)


def _path(state_dir: Path) -> Path:
    return state_dir / "running.json"
