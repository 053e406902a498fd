"""The wrapper itself, on a small project of the real template and functions that do next to nothing."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from localstack import gaps_inside, processes
from localstack.emulator import PROJECT, LocalStackError
from localstack.stack import LocalStack
from localstack.token import deployed_issuer, local_issuer

FUNCTIONS = ("api", "authorizer", "dashboard", "ingest", "sender", "replay", "release", "rollup")
API = """
    import json, os, sys
    import boto3, webhooks
    def attempts():
        sqs, dynamodb, table = boto3.client("sqs"), boto3.client("dynamodb"), os.environ["TABLE_NAME"]
        read = {"Statement": f"SELECT * FROM \\"{table}\\" WHERE pk = 'a' AND sk = 'a'"}
        def send(name):
            sqs.send_message_batch(QueueUrl=os.environ[name], Entries=[{"Id": "1", "MessageBody": "x"}])
        calls = {
            "batch to its queue": lambda: send("JOBS_QUEUE_URL"),
            "batch to another": lambda: send("DEAD_LETTER_QUEUE_URL"),
            "put": lambda: dynamodb.put_item(TableName=table, Item={"pk": {"S": "a"}, "sk": {"S": "b"}}),
            "scan": lambda: dynamodb.scan(TableName=table),
            "PartiQL": lambda: dynamodb.batch_execute_statement(Statements=[read]),
        }
        denied = []
        for name, call in calls.items():
            try:
                call()
            except Exception as error:
                assert "AccessDenied" in str(error), error
                denied.append(name)
        return denied
    def handler(event, context):
        print(json.dumps({"level": "INFO", "message": "request", "path": event["path"]}))
        if event["path"] == "/api/v1/nothing":
            return {"statusCode": 204, "body": None}
        if event["path"] == "/api/v1/try":
            return {"statusCode": 200, "headers": {"X-Seen": "yes"}, "body": json.dumps(attempts())}
        body = {"event": event, "environment": dict(os.environ), "webhooks": webhooks.__file__}
        body |= {"boto3": boto3.__file__, "path": sys.path}
        return {"statusCode": 200, "headers": {"X-Seen": "yes"}, "body": json.dumps(body)}
    """
AUTHORIZER = """
    def handler(event, context):
        resource = event["methodArn"].split("/")[0] + "/*"
        statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": resource}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        return {"principalId": "1", "policyDocument": policy, "context": {}}
    """
OTHER = """
    def handler(event, context):
        print("ran", len(event.get("Records", [])))
        return {}
    """


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Named with a space, as a user's folder may be."""
    folder = tmp_path_factory.mktemp("small project")
    shutil.copy(PROJECT / "template.yaml", folder)
    shutil.copytree(PROJECT / "layers", folder / "layers")
    (folder / "shared" / "webhooks").mkdir(parents=True)
    (folder / "shared" / "webhooks" / "__init__.py").write_text("")
    for name in FUNCTIONS:
        (folder / "functions" / name).mkdir(parents=True)
        source = {"api": API, "authorizer": AUTHORIZER}.get(name, OTHER)
        (folder / "functions" / name / "app.py").write_text(textwrap.dedent(source))
    return folder


@pytest.fixture(scope="module")
def small(project: Path) -> Iterator[LocalStack]:
    with LocalStack(project=project) as stack:
        yield stack


def get(url: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(url, headers=headers or {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.headers["X-Seen"] == "yes"
        return json.loads(answer.read())


def descendants(pid: int) -> list[int]:
    own = processes.children(pid)
    return own + [each for child in own for each in descendants(child)]


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, "processes are left"
        time.sleep(0.05)


def test_paths_have_no_stage_and_arrive_as_they_were_sent(small: LocalStack) -> None:
    event = get(f"{small.base_url}/api/v1/webhooks?a=1&a=%2F&b=x%20y", {"X-User-ID": "7"})["event"]
    assert event["path"] == "/api/v1/webhooks"
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "/"], "b": ["x y"]}
    assert event["headers"]["x-user-id"] == "7"


def test_functions_run_what_was_built(small: LocalStack) -> None:
    seen = get(f"{small.base_url}/health")
    assert seen["webhooks"].endswith("/code/webhooks/__init__.py")
    assert "/.local/layers/" in seen["boto3"]
    assert not [each for each in seen["path"] if str(PROJECT / ".venv") in each]


def test_functions_see_nothing_of_the_callers_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PASSWORD", "hunter2")
    with LocalStack(project=project) as stack:
        environment = get(f"{stack.base_url}/health")["environment"]
    assert "MY_PASSWORD" not in environment
    assert environment["STAGE"] == "local"
    assert Path(environment["TMPDIR"]) != Path(tempfile.gettempdir())


def test_what_the_template_asks_for_and_the_emulator_ignores_is_set(small: LocalStack) -> None:
    ttl = small.client("dynamodb").describe_time_to_live(TableName=small.outputs["TableName"])["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}


def test_messages_of_who_has_much_in_flight_come_after_those_of_others(small: LocalStack) -> None:
    client = small.client("sqs")
    url = client.create_queue(QueueName="fair")["QueueUrl"]

    def send(group: str, count: int) -> None:
        for _ in range(count):
            client.send_message(QueueUrl=url, MessageBody=group, MessageGroupId=group)

    def received(count: int) -> list[str]:
        return [each["Body"] for each in client.receive_message(QueueUrl=url, MaxNumberOfMessages=count)["Messages"]]

    send("noisy", 45)
    assert [received(10) for _ in range(3)] == [["noisy"] * 10] * 3
    send("quiet", 2)
    assert received(3) == ["quiet", "quiet", "noisy"]


def test_a_mapping_begins_with_five_batches_and_takes_five_more_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, busy = [0.0], {"one": 0}
    monkeypatch.setattr(gaps_inside, "time", SimpleNamespace(monotonic=lambda: seconds[0]))
    monkeypatch.setattr(lambda_svc, "_esm_inflight", busy)
    monkeypatch.setattr(lambda_svc, "_sqs_esm_concurrency", lambda *_: 12)
    gaps_inside._begin_with_few_batches()

    def at_once(now: float, under_way: int) -> int:
        seconds[0], busy["one"] = now, under_way
        return lambda_svc._sqs_esm_concurrency({"UUID": "one"}, {}, {})

    assert [at_once(0.0, 0), at_once(0.1, 5), at_once(0.9, 5)] == [5, 5, 5]
    assert at_once(1.1, 5) == 10, "all have been busy for a second"
    assert at_once(3.0, 9) == 10, "they suffice"
    assert at_once(4.1, 10) == 12, "no more than it may"
    assert at_once(9.0, 0) == 5, "back to five when nothing is left"


def test_a_functions_process_can_be_found_and_killed(small: LocalStack) -> None:
    get(f"{small.base_url}/health")
    killed = small.workers("ApiFunction")
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(urllib.error.HTTPError):  # the request that finds out
        get(f"{small.base_url}/health")
    get(f"{small.base_url}/health")
    assert killed
    assert set(small.workers("ApiFunction")).isdisjoint(killed)


def test_processes_of_a_function_start_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_svc, "acquire_worker", lambda_svc.acquire_worker)
    monkeypatch.setattr(lambda_runtime, "_workers", {})
    gaps_inside._start_processes_one_by_one()

    def acquired() -> tuple[Any, str]:
        return lambda_svc.acquire_worker(
            "one", {"FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:one"}, b""
        )

    first, how = acquired()
    assert how == "spawn", "nothing is there to wait for"
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(gaps_inside, "BUSY_SECONDS", 0.0)
        waits = pool.submit(acquired)
        time.sleep(0.2)
        assert not waits.done(), "the first is still starting"
        first._start_time = time.time()
        second, how = waits.result(30)
        second._start_time = time.time()
        assert (second is not first, how) == (True, "spawn"), "the first has started, and is busy"
        monkeypatch.setattr(gaps_inside, "BUSY_SECONDS", 3_600.0)
        waits = pool.submit(acquired)
        lambda_runtime.release_worker(first)
        assert waits.result(30) == (first, "reused")


def test_an_answer_needs_no_body(small: LocalStack) -> None:
    with urllib.request.urlopen(f"{small.base_url}/api/v1/nothing", timeout=30) as answer:
        assert (answer.status, answer.read()) == (204, b"")


def test_a_published_event_reaches_a_function(small: LocalStack) -> None:
    entry = {"Source": "pyairtable", "DetailType": "x", "Detail": "{}", "EventBusName": small.outputs["EventBusName"]}
    small.client("events").put_events(Entries=[entry])
    deadline = time.monotonic() + 15
    while not any(i.function.endswith("-ingest") and i.lines == ["ran 1"] for i in small.invocations()):
        assert time.monotonic() < deadline, small.logs()
        time.sleep(0.05)


def test_a_token_is_signed_with_the_stacks_secret(small: LocalStack) -> None:
    secret = small.client("secretsmanager").get_secret_value(SecretId=small.outputs["JwtSecretArn"])["SecretString"]
    token = small.token(5, workspace_ids=[1, "b"], scope="webhooks admin")
    claims = jwt.decode(token, secret, ["HS256"], issuer="pyairtable", audience="pyairtable-webhooks")
    assert (claims["sub"], claims["workspace_ids"], claims["scope"]) == ("5", ["1", "b"], "webhooks admin")


def test_a_token_for_a_deployed_stage_is_signed_with_what_its_stack_names(
    small: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", small.endpoint_url)
    samconfig = tmp_path / "samconfig.toml"
    samconfig.write_text(
        '[dev.global.parameters]\nstack_name = "webhooks-local"\n[dev.deploy.parameters]\nregion = "us-east-1"'
    )
    secret = small.client("secretsmanager").get_secret_value(SecretId=small.outputs["JwtSecretArn"])["SecretString"]
    assert deployed_issuer("dev", samconfig).secret == secret
    with pytest.raises(LocalStackError, match="no stage prod"):
        deployed_issuer("prod", samconfig)


def test_a_function_that_does_not_start_is_told_of(project: Path, tmp_path: Path) -> None:
    broken = tmp_path / "project"
    shutil.copytree(project, broken)
    (broken / "functions" / "authorizer" / "app.py").write_text("import nonexistent")
    with LocalStack(project=broken) as stack:
        with pytest.raises(urllib.error.HTTPError):
            get(f"{stack.base_url}/api/v1/webhooks")
        assert any("No module named 'nonexistent'" in line for line in stack.logs())


def test_functions_may_do_what_their_roles_say_and_no_more(project: Path) -> None:
    """Statements and messages of a batch are judged as what they are, since IAM has no actions for batches."""
    with LocalStack(project=project, enforce_iam=True) as stack:
        denied = get(f"{stack.base_url}/api/v1/try")
    assert denied == ["batch to another", "scan", "PartiQL"]


@pytest.mark.parametrize(("path", "status", "kind"), [("/", 404, "not-found"), ("/api/v1/webhooks", 413, "too-large")])
def test_the_gateways_own_errors_are_those_of_the_template(
    small: LocalStack, path: str, status: int, kind: str
) -> None:
    body = b"x" * (10 * 1024 * 1024 + 1) if status == 413 else None
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(urllib.request.Request(small.base_url + path, data=body), timeout=30)
    with refusal.value as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
        assert json.loads(answer.read())["type"] == f"/problems/{kind}"


def test_everything_listens_on_loopback_only(small: LocalStack) -> None:
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    listening = {row[9]: row[1].split(":")[0] for row in rows if row[3] == "0A"}
    for pid in [os.getpid(), small.emulator_pid, *descendants(small.emulator_pid)]:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            target = str(link.readlink()) if link.is_symlink() else ""
            if target.startswith("socket:["):
                address = listening.get(target[8:-1])
                assert address in {None, "0100007F", "00000000000000000000000001000000"}, (pid, address)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go, of this test alone."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_stop_leaves_no_process_and_no_file(project: Path, temporary: Path) -> None:
    stack = LocalStack(project=project)
    with stack:
        pids = [stack.emulator_pid, *descendants(stack.emulator_pid)]
        assert len(pids) > 1
        assert list(temporary.glob("webhooks-local-*"))
    wait_until_gone(pids)
    assert list(temporary.iterdir()) == []


def test_data_is_there_at_the_next_start(project: Path, tmp_path: Path) -> None:
    key = {"pk": {"S": "a"}, "sk": {"S": "webhook"}}
    with LocalStack(project=project, state_dir=tmp_path) as stack:
        table = stack.outputs["TableName"]
        stack.client("dynamodb").put_item(TableName=table, Item=key)
        queue = stack.outputs["JobsDeadLetterQueueUrl"]
        stack.client("sqs").send_message(QueueUrl=queue, MessageBody="kept")
        token = stack.token(1)
    with LocalStack(project=project, state_dir=tmp_path) as stack:
        assert stack.client("dynamodb").get_item(TableName=table, Key=key)["Item"] == key
        assert stack.client("sqs").receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "kept"
        secret = stack.client("secretsmanager").get_secret_value(SecretId=stack.outputs["JwtSecretArn"])["SecretString"]
        jwt.decode(token, secret, ["HS256"], audience="pyairtable-webhooks")
        # written after the restart, so the stream goes on from where it is
        stack.client("dynamodb").put_item(TableName=table, Item=key | {"n": {"N": "2"}})
        deadline = time.monotonic() + 15
        while not any(i.function.endswith("-rollup") for i in stack.invocations()):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_changed_code_runs_at_the_next_start(project: Path, tmp_path: Path) -> None:
    changed = tmp_path / "project"
    shutil.copytree(project, changed)
    state = tmp_path / "state"
    with LocalStack(project=changed, state_dir=state) as stack:
        get(f"{stack.base_url}/health")
    app = changed / "functions" / "api" / "app.py"
    app.write_text(app.read_text().replace('"environment": dict(os.environ)', '"changed": True'))
    with LocalStack(project=changed, state_dir=state) as stack:
        assert get(f"{stack.base_url}/health")["changed"] is True
        app.write_text(app.read_text().replace('"changed": True', '"changed": "again"'))
        stack.redeploy()
        assert get(f"{stack.base_url}/health")["changed"] == "again"


def test_a_changed_parameter_holds_at_the_next_start(project: Path, tmp_path: Path) -> None:
    """By a new version of the function, though nothing of its code has changed, nor of the template."""
    for level in ("INFO", "DEBUG", "INFO"):
        with LocalStack(project=project, state_dir=tmp_path, parameters={"LogLevel": level}) as stack:
            assert get(f"{stack.base_url}/health")["environment"]["LOG_LEVEL"] == level


def test_what_a_deployment_has_half_done_is_not_run(project: Path) -> None:
    """Lambda takes a function's settings, layers among them, in one call and its code in another: what lies between the
    two is invoked by nobody."""
    with LocalStack(project=project) as stack:
        functions, name = stack.client("lambda"), stack.outputs["ApiFunctionName"]
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        half = {"Variables": variables | {"USER_AGENT": "half done"}}
        functions.update_function_configuration(FunctionName=name, Environment=half)
        assert get(f"{stack.base_url}/health")["environment"]["USER_AGENT"] == variables["USER_AGENT"]
        version = functions.publish_version(FunctionName=name)["Version"]
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
        assert get(f"{stack.base_url}/health")["environment"]["USER_AGENT"] == "half done"


def test_a_second_stack_on_the_same_data_is_refused(project: Path, tmp_path: Path) -> None:
    with LocalStack(project=project, state_dir=tmp_path) as first:
        with pytest.raises(LocalStackError, match=f"running already.*{os.getpid()}"):
            LocalStack(project=project, state_dir=tmp_path).start()
        get(f"{first.base_url}/health")
        assert local_issuer(tmp_path).issuer == "pyairtable"
    with pytest.raises(LocalStackError, match="make run"):
        local_issuer(tmp_path)


def test_a_taken_port_names_the_fix(project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalStackError, match=f"make run PORT={port + 1}"):
            LocalStack(project=project, port=port).start()


def test_an_unknown_parameter_is_named(project: Path) -> None:
    with pytest.raises(LocalStackError, match="no parameter Nope"):
        LocalStack(project=project, parameters={"Nope": "1"}).start()


def test_a_template_that_the_emulator_refuses_says_why_and_leaves_nothing(
    project: Path, tmp_path: Path, temporary: Path
) -> None:
    broken = tmp_path / "project"
    shutil.copytree(project, broken)
    template = broken / "template.yaml"
    template.write_text(template.read_text().replace("Type: AWS::KMS::Alias", "Type: AWS::KMS::Alia"))
    with pytest.raises(LocalStackError, match="AWS::KMS::Alia"):
        LocalStack(project=broken).start()
    assert list(temporary.iterdir()) == []


COMMAND = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does with what it starts in the background
from pathlib import Path
from localstack import __main__ as command
command.DATA = Path(sys.argv[1])
start = command.LocalStack
command.LocalStack = lambda **arguments: start(project=Path(sys.argv[2]), **arguments)
sys.exit(command.main())
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_command_ends_with_nothing_left(project: Path, tmp_path: Path, end: signal.Signals) -> None:
    """Also when it is killed outright: the emulator sees that its starter is gone."""
    arguments = [sys.executable, "-c", COMMAND, str(tmp_path / "data"), str(project)]
    environment = os.environ | {"PORT": "0", "DEMO": "0"}
    with subprocess.Popen(arguments, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        killer = threading.Timer(60, process.kill)
        killer.start()
        printed: list[str] = []
        while "/api/v1/webhooks" not in "".join(printed[-1:]):
            printed.append(process.stdout.readline())
            assert printed[-1] or process.poll() is None, "".join(printed)
        pids = descendants(process.pid)
        process.send_signal(end)
        process.communicate(timeout=30)
        killer.cancel()
    assert process.returncode == (-signal.SIGKILL if end is signal.SIGKILL else 0)
    wait_until_gone(pids)
    text = "".join(printed)
    assert text.count("  curl ") == 3
    assert "TOKEN=" in text
    assert (tmp_path / "data" / "emulator" / "dynamodb.json").exists()
    if end is not signal.SIGKILL:
        assert not (tmp_path / "data" / "tmp").exists()
        assert not (tmp_path / "data" / "running.json").exists()
