"""pyhooks: PyAirtable Webhooks from a terminal."""
