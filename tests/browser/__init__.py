"""The dashboard in a real browser.

A package, so that its package fixtures end with it: the browser's event loop, left running, fails every later test.
"""
