"""Outbound webhooks: matching, signing, delivering, retrying, recording and replaying."""
