"""What is counted, and what is told of webhooks, from the stream of the table.

`counts` says what a change adds, `exactly_once` that a repeat adds nothing, `transitions` what is worth an operational
event; `rollup` writes it down and publishes it; `prometheus` shows it. Imports delivery's endpoint state,
models and the root modules; the table and the bus come in as ports.
"""
