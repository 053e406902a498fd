"""One delivery, from its message to its next state.

`dispatcher` prepares, sends and concludes a batch: `admission` and `send_gate` say what may go now, `classification`
what an answer means, `receive_decision` and `lifecycle` what the record becomes, `retry`, `rate_limit`,
`circuit_breaker` and `endpoint_health` when to go on. `release` brings back what waits outside SQS; `test_send` makes
test deliveries. Imports request, models and the root modules; the table, queues and transport come in as ports.
"""
