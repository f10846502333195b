"""The customer's tracking page: who comes and when, as facts, as JSON and as a page."""

from __future__ import annotations

from entrypoints.http.track.facts import Business, Eta, Place, TrackingFacts, as_json, facts_of
from entrypoints.http.track.pages import render_gone, render_tracking
from entrypoints.http.track.stream import Streams
from entrypoints.languages import Language, language_of

__all__ = [
    "Business",
    "Eta",
    "Language",
    "Place",
    "Streams",
    "TrackingFacts",
    "as_json",
    "facts_of",
    "language_of",
    "render_gone",
    "render_tracking",
]
