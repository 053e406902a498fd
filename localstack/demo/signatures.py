"""How a receiver checks a delivery, in both schemes; the one by hand is the client's own Python example."""

import hashlib
import hmac

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from localstack.demo.receiver import Arrival


def by_library(secret: str, arrival: Arrival) -> bool:
    """Whether the Standard Webhooks library takes it: webhook-id, webhook-timestamp, webhook-signature."""
    try:
        Webhook(secret).verify(arrival.body, {name.lower(): value for name, value in arrival.headers})
    except WebhookVerificationError:
        return False
    return True


def by_hand(secret: str, arrival: Arrival) -> bool:
    """Whether X-PyAirtable-Signature is the HMAC of timestamp and body."""
    signature, timestamp = arrival.header("X-PyAirtable-Signature"), arrival.header("X-PyAirtable-Timestamp")
    return _verify_signature(secret, arrival.body.decode(), signature, timestamp)


def _verify_signature(secret: str, payload: str, signature: str, timestamp: str) -> bool:
    signed_payload = f"{timestamp}.{payload}"
    expected_signature = "sha256=" + hmac.new(secret.encode(), signed_payload.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature, expected_signature)
