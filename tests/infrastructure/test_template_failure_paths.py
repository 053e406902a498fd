"""Where AWS puts what it could not hand over: each such place is consumed by a function or watched by an alarm."""

from typing import Any

from tests.infrastructure.template_document import Template, attribute_of


def _alarms(template: Template, metric: str, dimension: str) -> dict[str, dict[str, Any]]:
    """Alarms on a metric, by the logical id of the queue or function that they watch."""
    found: dict[str, dict[str, Any]] = {}
    for alarm in template.of_type("AWS::CloudWatch::Alarm").values():
        for each in alarm.get("Dimensions", ()) if alarm.get("MetricName") == metric else ():
            if each["Name"] == dimension:
                value = each["Value"]
                found[value["Ref"] if "Ref" in value else attribute_of(value)[0]] = alarm
    return found


def test_each_queue_is_consumed_or_tells_an_operator_of_its_first_message(template: Template) -> None:
    """A queue without a consumer is where something ends: the targets' dead letters of EventBridge, a mapping's
    on-failure destination, the redrive of a queue."""
    consumed = {queue for _, _, _, queue in template.queue_mappings}
    watched = _alarms(template, "ApproximateNumberOfMessagesVisible", "QueueName")
    ends = set(template.of_type("AWS::SQS::Queue")) - consumed
    assert ends == {"IngestDeadLetterQueue", "JobsDeadLetterQueue", "RuleTargetDeadLetterQueue", "StreamFailuresQueue"}
    for queue in ends:
        alarm = watched[queue]
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0), queue
        assert alarm["Statistic"] in ("Maximum", "Sum"), queue  # one message is enough
        assert alarm["AlarmActions"], queue


def test_a_queue_whose_consumer_fails_is_noticed(template: Template) -> None:
    """By the age of what is on it, by what stays on it, or by its redrive's queue, which has an alarm of its own."""
    noticed = {
        *_alarms(template, "ApproximateAgeOfOldestMessage", "QueueName"),
        *_alarms(template, "ApproximateNumberOfMessagesVisible", "QueueName"),
    }
    for _, _, _, queue in template.queue_mappings:
        redrive = template.properties(queue).get("RedrivePolicy")
        assert queue in noticed or attribute_of(redrive["deadLetterTargetArn"])[0] in noticed, queue


def test_whatever_hands_over_without_a_caller_has_somewhere_to_put_what_fails(template: Template) -> None:
    """EventBridge's targets, the stream's mapping, and the schedule: what it invokes is invoked again a minute later,
    and an alarm counts its errors and its absence."""
    for name, rule in template.of_type("AWS::Events::Rule").items():
        assert all("DeadLetterConfig" in target for target in rule["Targets"]), name
    for name, mapping in template.of_type("AWS::Lambda::EventSourceMapping").items():
        source = attribute_of(mapping["EventSourceArn"])[0]
        if template.resources[source]["Type"] != "AWS::SQS::Queue":
            assert attribute_of(mapping["DestinationConfig"]["OnFailure"]["Destination"])[0] == "StreamFailuresQueue"
            assert mapping["MaximumRecordAgeInSeconds"] > 0, name
    scheduled = {
        name
        for name, function in template.functions.items()
        if any(event["Type"] == "Schedule" for event in function.get("Events", {}).values())
    }
    assert scheduled == {"ReleaseFunction"}
    assert scheduled <= set(_alarms(template, "Errors", "FunctionName"))
    missing = _alarms(template, "Invocations", "FunctionName")["ReleaseFunction"]
    assert (missing["ComparisonOperator"], missing["TreatMissingData"]) == ("LessThanThreshold", "breaching")


def test_each_function_s_errors_are_noticed(template: Template) -> None:
    watched = set(_alarms(template, "Errors", "FunctionName"))
    assert set(template.functions) - watched <= {"DashboardFunction"}  # serves files; the gateway's 5xx alarm sees it
