"""What the service talks about: webhooks, subscriptions, events, deliveries, dead letters, replays."""
