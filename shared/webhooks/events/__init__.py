"""From a published event to its deliveries.

`publishing` takes events over HTTP and puts them on the ingest queue once they are valid (`validation`, `catalogue`).
`ingestion` reads that queue, matches and records each event once, and `fan_out` sends its delivery messages. Imports
access, matching, models and the root modules; the table and the queues come in as ports.
"""
