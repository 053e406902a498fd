"""What was given up, and how it is sent again.

`dead_letter_writer` keeps what comes on the dead-letter queue. `replay` sends letters again as a new generation,
`replay_jobs` many of them, resumably, from what `replay_source` finds; `failure_causes` names why they failed. Imports
delivery, models and the root modules; the table and the queues come in as ports.
"""
