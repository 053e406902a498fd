"""The table: its attribute names and keys (`schema`), and the adapters that use cases need of it."""
