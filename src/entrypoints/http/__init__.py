"""The HTTP door: decode, call one use case, encode.

`endpoints` is the whole API as data; routes and the OpenAPI document are made from it, so the document cannot lie.
"""
