"""The table: its attribute names and keys (`schema`), and the ports that the use cases need of it."""
