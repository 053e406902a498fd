"""What import_webhooks.py is made of."""
