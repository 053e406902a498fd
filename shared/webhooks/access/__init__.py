"""Who calls, and what they may do.

Tokens are checked and minted, a caller travels from the authorizer to the api, a tenant's requests are counted, and
an idempotency key is compared with what it was first used for. In: headers, claims, keys. Out: a `Caller`, or an error
that says why not. Imports models and the root modules.
"""
