"""Unit prices of AWS: US East (N. Virginia), on demand, without free tiers and volume discounts, in US dollars.

Taken in November 2026 from the pages named; check them before you rely on the sums.
"""

from dataclasses import dataclass

DATE = "2026-11-23"
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for one unit."""

    dollars: float
    unit: str
    source: str


PRICES = {
    "dynamodb_write": Price(0.625 / MILLION, "write request unit", "aws.amazon.com/dynamodb/pricing/on-demand"),
    "dynamodb_read": Price(0.125 / MILLION, "read request unit", "aws.amazon.com/dynamodb/pricing/on-demand"),
    "dynamodb_write_hour": Price(
        0.00065, "write capacity unit and hour", "aws.amazon.com/dynamodb/pricing/provisioned"
    ),
    "dynamodb_read_hour": Price(0.00013, "read capacity unit and hour", "aws.amazon.com/dynamodb/pricing/provisioned"),
    "dynamodb_storage": Price(0.25, "GB-month", "aws.amazon.com/dynamodb/pricing/on-demand"),
    "dynamodb_recovery": Price(0.20, "GB-month of point-in-time recovery", "aws.amazon.com/dynamodb/pricing/on-demand"),
    "sqs": Price(0.40 / MILLION, "request of up to 64 KB", "aws.amazon.com/sqs/pricing"),
    "sqs_fair": Price(0.10 / MILLION, "request with a message group, on top", "aws.amazon.com/sqs/pricing"),
    "lambda_gb_second": Price(0.0000133334, "GB-second, arm64", "aws.amazon.com/lambda/pricing"),
    "lambda_request": Price(0.20 / MILLION, "invocation", "aws.amazon.com/lambda/pricing"),
    "api_request": Price(3.50 / MILLION, "REST API request", "aws.amazon.com/api-gateway/pricing"),
    "eventbridge_event": Price(1.00 / MILLION, "custom event of up to 64 KB", "aws.amazon.com/eventbridge/pricing"),
    "logs_gb": Price(0.50, "GB ingested", "aws.amazon.com/cloudwatch/pricing"),
    "metric_month": Price(0.30, "custom metric and month", "aws.amazon.com/cloudwatch/pricing"),
    "alarm_month": Price(0.10, "alarm and month", "aws.amazon.com/cloudwatch/pricing"),
    "egress_gb": Price(0.09, "GB to the internet", "aws.amazon.com/ec2/pricing/on-demand"),
    "kms_key_month": Price(1.00, "key and month", "aws.amazon.com/kms/pricing"),
    "secret_month": Price(0.40, "secret and month", "aws.amazon.com/secrets-manager/pricing"),
}

# What others ask for a million deliveries, as published; for comparison alone.
OTHERS = {
    "EventBridge API Destinations": (
        0.20 + 1.00,
        "per million: 0.20 invocations and 1.00 custom events",
        "eventbridge",
    ),
    "Svix Pro": (100.0, "per million attempts beyond the plan: $0.0001 each", "svix.com/pricing"),
}

# Dollars a month at so many events a second, one event a request. Built from public sources and measured beside this
# service in November 2026 (Svix 4fc0cfb, Outpost f67ae01, Convoy v26.3.6, Hook0 86a9d66); two Fargate tasks or more,
# half busy, Multi-AZ RDS and a load balancer; history of 30 days.
RATES = (1, 10, 100, 1000)
PEERS = {
    "Svix": (120, 123, 197, 1_269),
    "Outpost with SQS": (126, 191, 566, 2_214),
    "Convoy": (120, 142, 632, 5_306),
    "Hook0": (101, 109, 467, 2_795),
}


def dollars(name: str, amount: float) -> float:
    """What so many units cost."""
    return PRICES[name].dollars * amount
