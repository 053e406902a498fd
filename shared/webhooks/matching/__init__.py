"""Which webhooks an event reaches, and why not the others.

Filters are documents (`filter_document`), compiled to tests (`filters`) and indexed by what they ask for
(`filter_index`). A webhook's subscriptions become route rows when they are written (`route_rows`); ingest compiles a
scope's rows (`compiled_routes`) and keeps them while their version stands (`route_cache`). Pure but for the cache's
port. Imports models and the root modules.
"""
