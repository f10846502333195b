"""Language models: an extractor of our own that needs nothing, and any OpenAI-compatible server.

Import the one you need: the OpenAI client takes half a second to load.
"""
