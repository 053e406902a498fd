"""Rules of SQS, Lambda's SQS pollers and EventBridge that an emulator lets pass and AWS does not."""

import pytest

from tests.infrastructure.template_document import Node, Template, attribute_of, either

DAY_SECONDS = 86_400


def test_a_message_stays_hidden_six_times_as_long_as_its_function_may_run(template: Template) -> None:
    """Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping": at least six times the
    function's timeout, plus the batching window."""
    for name, mapping, function, queue in template.queue_mappings:
        window = max(_windows(template, mapping.get("MaximumBatchingWindowInSeconds", 0)))
        timeout = template.functions[function]["Timeout"]
        assert template.properties(queue)["VisibilityTimeout"] >= 6 * timeout + window, name


def _windows(template: Template, given: Node) -> list[int]:
    """Every window that a mapping may get, in seconds."""
    if isinstance(given, dict) and "Ref" in given:
        parameter = template.parameters[given["Ref"]]
        return [parameter["MinValue"], parameter["MaxValue"]]
    if isinstance(given, dict):
        return [seconds for branch in either(given) for seconds in _windows(template, branch)]
    return [given]


@pytest.mark.parametrize("kind", ["Sender", "Ingest"])
def test_a_batch_above_ten_has_the_window_that_aws_then_demands(template: Template, kind: str) -> None:
    """Lambda API Reference, CreateEventSourceMapping, BatchSize: above 10, MaximumBatchingWindowInSeconds must be 1
    or more."""
    mapping = template.properties(f"{kind}Mapping")
    sizes = template.parameters[mapping["BatchSize"]["Ref"]]["AllowedValues"]
    waits, window, without_one = mapping["MaximumBatchingWindowInSeconds"]["Fn::If"]
    assert template.document["Conditions"][waits] == {"Fn::Not": [{"Fn::Equals": [window, 0]}]}
    condition, window_if_large, window_else = without_one["Fn::If"]
    parameter, large = template.document["Conditions"][condition]["Fn::Equals"]
    assert parameter == mapping["BatchSize"]
    assert [size for size in sizes if size > 10] == [large]
    assert window_if_large >= 1
    assert window_else == 0


def test_fixed_batches_without_a_window_are_at_most_ten(template: Template) -> None:
    """Lambda API Reference, CreateEventSourceMapping, BatchSize."""
    for name, mapping, _, _ in template.queue_mappings:
        if isinstance(mapping["BatchSize"], int) and not mapping.get("MaximumBatchingWindowInSeconds"):
            assert mapping["BatchSize"] <= 10, name


def test_pollers_are_limited_by_their_mapping_and_never_by_reserved_concurrency(template: Template) -> None:
    """Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings": 2 to 1000. A poller
    that reserved concurrency throttles uses up receives, and so the redrive's count."""
    for name, mapping, function, _ in template.queue_mappings:
        limit = mapping["ScalingConfig"]["MaximumConcurrency"]
        if isinstance(limit, dict):
            parameter = template.parameters[limit["Ref"]]
            assert (parameter["MinValue"], parameter["MaxValue"]) == (2, 1000), name
            limit = parameter["Default"]
        assert 2 <= limit <= 1000, name
        assert "ReservedConcurrentExecutions" not in template.functions[function], function


def test_one_bad_message_never_returns_its_whole_batch(template: Template) -> None:
    """Lambda Developer Guide, "Implementing partial batch responses"."""
    for name, mapping in template.of_type("AWS::Lambda::EventSourceMapping").items():
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name


def test_a_dead_letter_queue_keeps_messages_longer_than_the_queue_they_come_from(template: Template) -> None:
    """SQS Developer Guide, "Using dead-letter queues in Amazon SQS": a moved message keeps its original enqueue
    time, so the days that it spent before count."""
    for name, queue in template.of_type("AWS::SQS::Queue").items():
        if "RedrivePolicy" in queue:
            dead_letters, _ = attribute_of(queue["RedrivePolicy"]["deadLetterTargetArn"])
            kept = template.properties(dead_letters)["MessageRetentionPeriod"]
            assert kept >= queue["MessageRetentionPeriod"] + 4 * DAY_SECONDS, name


def test_queues_stay_within_the_limits_of_sqs(template: Template) -> None:
    """SQS API Reference, SetQueueAttributes: retention 60 s to 14 days, visibility up to 12 h, maxReceiveCount 1 to
    1000."""
    for name, queue in template.of_type("AWS::SQS::Queue").items():
        assert 60 <= queue["MessageRetentionPeriod"] <= 14 * DAY_SECONDS, name
        assert 0 <= queue.get("VisibilityTimeout", 30) <= 43_200, name
        assert 1 <= queue.get("RedrivePolicy", {}).get("maxReceiveCount", 1) <= 1000, name


def test_native_redrive_is_far_beyond_any_attempt_limit(template: Template) -> None:
    """Attempts are ours to count (at most 16 a cycle); receives are more: deferrals and our own failures count too."""
    assert template.properties("DeliveryQueue")["RedrivePolicy"]["maxReceiveCount"] == 100


def test_every_consumed_queue_has_a_net_for_poison(template: Template) -> None:
    """A message that its function cannot handle would otherwise come back until its retention ends. The dead-letter
    queue is the net of the delivery queue; replay keeps what it cannot read."""
    nets = {
        "IngestQueue": "IngestDeadLetterQueue",
        "DeliveryQueue": "DeadLetterQueue",
        "StaticDeliveryQueue": "DeadLetterQueue",
        "JobsQueue": "JobsDeadLetterQueue",
    }
    consumed = {queue for _, _, _, queue in template.queue_mappings}
    assert consumed == {*nets, "DeadLetterQueue"}
    for queue, net in nets.items():
        assert attribute_of(template.properties(queue)["RedrivePolicy"]["deadLetterTargetArn"])[0] == net


def test_queues_are_encrypted_with_keys_that_eventbridge_can_use(template: Template) -> None:
    """EventBridge User Guide, "Amazon SQS permissions": a queue under a customer's KMS key needs a key policy for
    EventBridge; SSE-SQS needs none."""
    for name, queue in template.of_type("AWS::SQS::Queue").items():
        assert queue["SqsManagedSseEnabled"] is True, name
        assert "KmsMasterKeyId" not in queue, name


def test_eventbridge_tries_a_day_and_then_keeps_the_event(template: Template) -> None:
    """EventBridge User Guide, "How EventBridge retries delivering events": at most 24 h and 185 times, then the
    event is dropped where the target has no dead-letter queue."""
    rules = template.of_type("AWS::Events::Rule")
    assert set(rules) == {"PublishedEventsRule", "OperationalEventsRule"}
    for name, rule in rules.items():
        for target in rule["Targets"]:
            assert attribute_of(target["DeadLetterConfig"]["Arn"])[0] == "RuleTargetDeadLetterQueue", name
            assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}, name


def test_rules_match_by_source_alone(template: Template) -> None:
    """An event of an unknown type is recorded as such; a rule that lists types would drop it unseen."""
    for name, rule in template.of_type("AWS::Events::Rule").items():
        assert set(rule["EventPattern"]) == {"source"}, name


def test_only_our_rules_may_send_to_the_queues_that_eventbridge_sends_to(template: Template) -> None:
    """EventBridge User Guide, "Using resource-based policies": without aws:SourceArn any rule of any account could."""
    policies = template.of_type("AWS::SQS::QueuePolicy")
    allowing = {
        name: [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
        for name, policy in policies.items()
    }
    fed = {policies[name]["Queues"][0]["Ref"] for name, statements in allowing.items() if statements}
    assert fed == {"IngestQueue", "RuleTargetDeadLetterQueue"}
    for name, statements in allowing.items():
        for statement in statements:
            sources = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
            assert {attribute_of(arn)[0] for arn in sources} == set(template.of_type("AWS::Events::Rule")), name


def test_every_queue_is_reached_by_tls_alone(template: Template) -> None:
    """Amazon SQS Developer Guide, "Security best practices for Amazon SQS", "Enforce encryption of data in transit"."""
    reached: set[str] = set()
    for policy in template.of_type("AWS::SQS::QueuePolicy").values():
        (deny,) = (each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Deny")
        assert (deny["Principal"], deny["Action"]) == ("*", "sqs:*")
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        reached |= {queue["Ref"] for queue in policy["Queues"]}
    assert reached == set(template.of_type("AWS::SQS::Queue"))


def test_no_queue_becomes_a_dead_letter_queue_that_is_not_meant_to(template: Template) -> None:
    """SQS API Reference, SetQueueAttributes, RedriveAllowPolicy. A dead-letter queue could only name its source, whose
    own policy names it."""
    queues = template.of_type("AWS::SQS::Queue")
    targets = {
        attribute_of(queue["RedrivePolicy"]["deadLetterTargetArn"])[0]
        for queue in queues.values()
        if "RedrivePolicy" in queue
    }
    refusing = {name for name, queue in queues.items() if "RedriveAllowPolicy" in queue}
    assert refusing == queues.keys() - targets
    assert all(queues[name]["RedriveAllowPolicy"] == {"redrivePermission": "denyAll"} for name in refusing)


def test_functions_that_feed_their_own_queue_are_allowed_to(template: Template) -> None:
    """Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops": after about 16
    rounds AWS stops a chain of Lambda and SQS, unless RecursiveLoop allows it. No other function may have that
    allowed."""
    consumed = {(function, queue) for _, _, function, queue in template.queue_mappings}
    chained = {
        function
        for function, queue in consumed
        if {"Fn::GetAtt": [queue, "Arn"]} in template.may(function, "sqs:SendMessage")
    }
    allowed = {name for name, function in template.functions.items() if function.get("RecursiveLoop") == "Allow"}
    assert chained == allowed == {"IngestFunction", "ReplayFunction", "SenderFunction", "StaticSenderFunction"}
