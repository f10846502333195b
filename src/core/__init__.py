"""The operations core of a field-service business: pure rules, no I/O, no clock, no randomness.

Each sub-package is a bounded context that imports only `core.kernel`; `core.reactions` is the one place that sees them all
and says what else happens when something happens. Everything outside is reached through a context's `ports`.
"""
