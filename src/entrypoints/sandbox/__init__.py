"""Programs that stand in for the outside world in development, demo and tests.

They are real HTTP servers which the product reaches through its normal adapters, and which any other client may use.
Nothing here imports the core or an adapter.
"""
