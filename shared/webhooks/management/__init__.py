"""What callers of the api do and see.

A use case for each resource: webhooks, subscriptions, deliveries, events, dead letters, recovery, filter tests, test
events, metrics. In: a `Caller` and a request model (`requests`). Out: domain objects; the api turns them into answers.
May import every wing below; the table, queues and KMS come in as ports.
"""
