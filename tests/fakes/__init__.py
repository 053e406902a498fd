"""Stand-ins for AWS and for receivers, in virtual time. They pass the contract tests of tests/integration."""
