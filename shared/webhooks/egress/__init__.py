"""Where requests may go, and how they get there.

`policy`, `hosts` and `networks` judge URLs and addresses, purely. `transport` resolves, judges, dials that same address
and bounds what comes back: the one place that knows httpx and aiohttp. Out: an `Exchange`, whatever the receiver does.
Imports request, models and the root modules.
"""
