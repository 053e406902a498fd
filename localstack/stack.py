"""The local stack: emulator, deployment and front, composed.

with LocalStack(parameters={"RetryBaseSeconds": "1"}) as stack:
    httpx.get(stack.base_url + "/health")
"""

import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from localstack import cloudformation, function_logs, processes, running
from localstack.authorised_calls import Call
from localstack.deploy import Deployment, deploy
from localstack.emulator import PROJECT, REGION, Emulator, LocalStackError
from localstack.front import Front, listen
from localstack.function_logs import Invocation
from localstack.package import Build
from localstack.running import Running
from localstack.token import DEFAULT_SCOPE, issuer_of

# Callers may name themselves and receivers on this machine are delivered to: the template allows it for Stage=local.
LOCAL_PARAMETERS = {
    "Stage": "local",
    "AuthMode": "header",
    "MultiRegionKey": "false",  # as in folders that have been used before there were such keys
    "ListEvents": "true",
    "EgressAllowHttp": "true",
    "EgressAllowedNetworks": "127.0.0.0/8,::1/128",
    "EgressPorts": "1-65535",
    # two cores do not gain from more
    "SenderMaximumConcurrency": "4",
    "SlowAttemptsPerTenant": "2",
    "HostRequestsPerSecond": "10000",  # all receivers are on one host
    "IngestMaximumConcurrency": "2",
    "ReplayMaximumConcurrency": "2",
    "MaxTests": "8",
    "MaxPolls": "8",
}
READY_TIMEOUT_SECONDS = 60


class LocalStack:
    """The whole service on this machine. `start` or `with` deploys template.yaml of the working tree.

    `state_dir` keeps the data from one start to the next; without it, everything goes at the end. `port` 0 takes a free
    one. `parameters` are the template's, over LOCAL_PARAMETERS. `enforce_iam` holds each function to its role's
    policies. `region` is the one that it says it is in.
    """

    def __init__(
        self,
        *,
        state_dir: Path | None = None,
        port: int = 0,
        bind: str = "127.0.0.1",
        parameters: Mapping[str, str] | None = None,
        enforce_iam: bool = False,
        project: Path = PROJECT,
        region: str = REGION,
    ) -> None:
        self._emulator = Emulator(state_dir, enforce_iam=enforce_iam, region=region)
        self._region = region
        self._state_dir = state_dir
        self._bind = bind
        self._port = port
        self._parameters = LOCAL_PARAMETERS | dict(parameters or {})
        self._project = project
        self._build: Build | None = None
        self._front: Front | None = None
        self._deployment: Deployment | None = None

    def start(self) -> None:
        """Returns when /ready answers. Raises LocalStackError, leaving nothing behind."""
        listener = listen(self._bind, self._port)
        self._port = listener.getsockname()[1]
        try:
            build = self._build = self._plan()
            with ThreadPoolExecutor(1) as beside:
                packages = beside.submit(build.packages)
                self._emulator.start(build.python, build.layer)
                self._deployment = deploy(self, build.template, packages.result())
            self._front = Front(listener, self._api_url())
            self._front.start()
            self._wait_until_ready()
            if self._state_dir is not None:
                self.running.write(self._state_dir)
        except BaseException:
            listener.close()
            self.stop()
            raise

    def stop(self) -> None:
        """Everything this started ends; data stays in `state_dir`."""
        if self._state_dir is not None and self._front is not None:
            Running.remove(self._state_dir)
        if self._front is not None:
            self._front.stop()
            self._front = None
        self._emulator.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """Where users call: /health, /api/v1/webhooks and so on come after it."""
        host = "localhost" if self._bind in {"127.0.0.1", "0.0.0.0", "::1", "::"} else self._bind  # noqa: S104 - a comparison
        return f"http://{host}:{self._port}"

    @property
    def endpoint_url(self) -> str:
        """Where the emulated AWS services are."""
        return self._emulator.endpoint_url

    @property
    def running(self) -> Running:
        """Where it listens, for those who only call it."""
        return Running(self.base_url, self.endpoint_url, dict(self.outputs))

    @property
    def emulator_pid(self) -> int:
        """The emulator's process; each function process is its child."""
        return self._emulator.pid

    def workers(self, logical_id: str) -> list[int]:
        """The processes that run a function now, by the function's logical id: a cut-off is tried by killing one."""
        name = self.resources[logical_id]
        return [pid for pid in processes.children(self.emulator_pid) if processes.runs_function(pid, name)]

    @property
    def functions_run_on(self) -> str:
        """The functions' Python and packages, in a line for people."""
        return self._build.says if self._build is not None else "nothing yet"

    @property
    def outputs(self) -> Mapping[str, str]:
        """The stack's outputs: TableName, EventBusName, DeliveryQueueUrl and so on."""
        return self._deployed().outputs

    @property
    def resources(self) -> Mapping[str, str]:
        """Physical ids by the template's logical ids."""
        return self._deployed().resources

    def client(self, service: str) -> Any:
        """A boto3 client for the emulator."""
        return running.client(self.endpoint_url, service, self._region)

    def token(
        self,
        user_id: object = "123",
        *,
        scope: str = DEFAULT_SCOPE,
        workspace_ids: Sequence[object] = (),
        seconds: int = 3600,
    ) -> str:
        """A JWT that the stack accepts."""
        issuer = issuer_of(self.outputs, self.client("secretsmanager"))
        return issuer.token(
            str(user_id), scope=scope, workspace_ids=[str(workspace) for workspace in workspace_ids], seconds=seconds
        )

    def invocations(self) -> list[Invocation]:
        """Every invocation since the start, oldest first, with what it logged."""
        return function_logs.read(self._emulator.function_log)

    def logs(self) -> list[str]:
        """Every line that the functions have logged since the start."""
        return [line for invocation in self.invocations() for line in invocation.lines]

    def calls(self) -> set[Call]:
        """What the functions have asked AWS for since the start; empty unless the stack enforces IAM."""
        return self._emulator.calls

    def follow(self) -> Iterator[Invocation]:
        """Invocations as they end, without end."""
        return function_logs.follow(self._emulator.function_log)

    def redeploy(self, **parameters: str) -> None:
        """Bring the running stack to what the working tree has now, and to these parameters."""
        self._parameters |= parameters
        build = self._build = self._plan()
        self._deployment = deploy(self, build.template, build.packages())
        if self._front is not None:
            self._front.target = self._api_url()  # the API's id changes with its routes
        self._wait_until_ready()

    def _plan(self) -> Build:
        template = cloudformation.load(self._project / "template.yaml")
        return Build.of(self._project, cloudformation.with_parameters(template, self._parameters))

    def _deployed(self) -> Deployment:
        if self._deployment is None:
            raise LocalStackError("The local stack is not running.")
        return self._deployment

    def _api_url(self) -> str:
        deployment = self._deployed()
        return f"{self.endpoint_url}/_aws/execute-api/{deployment.api_id}/{deployment.api_stage}"

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        answer = ""
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/ready", timeout=30):
                    return
            except urllib.error.HTTPError as error:
                answer = f"{error.code} {error.read().decode(errors='replace')}"
                if error.code < 500:
                    break
            except OSError as error:
                answer = str(error)
            time.sleep(0.2)
        logged = "\n".join(self.logs()[-30:])
        with contextlib.suppress(OSError):
            logged += (self._emulator.folder / "emulator.log").read_text(errors="replace")[-3000:]
        raise LocalStackError(f"/ready does not answer 200, but {answer}\n{logged}")
