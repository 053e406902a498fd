"""The HTTP request that a receiver gets.

Headers are checked and put together, the exact body is signed, secrets are opened for it, and credentials are masked
in what is shown afterwards. In: a webhook and a delivery message. Out: an `HttpRequest`. Pure; imports models and the
root modules.
"""
