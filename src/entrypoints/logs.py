"""Structured logs: readable at a terminal, JSON lines elsewhere; secrets never."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import structlog

from entrypoints.settings import Settings

# Without the local variables: they may hold anything.
_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
_ENCODER: Final = msgspec.json.Encoder(enc_hook=repr)
SECRET: Final = ("token", "secret", "password", "authorization", "private_key", "certificate", "otp")
"""A field whose name holds one of these is masked, whatever it holds."""


def configure_logs(settings: Settings) -> None:
    """Set up structlog for the whole process, once, at start."""
    level = logging.getLevelName(settings.log_level.upper())
    readable = settings.env == "development" and sys.stderr.isatty()
    readers: list[Any] = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    structlog.configure(
        processors=[stamped, *(readers if readable else (_TRACEBACKS, _json))],
        wrapper_class=structlog.make_filtering_bound_logger(level if isinstance(level, int) else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr)
        if readable
        else structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


def stamped(_: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add level and instant, and mask what a field's name calls a secret; one step, because every request pays for it."""
    for name in event:
        if is_secret(name):
            event[name] = "•••"
    event["level"] = "error" if method == "exception" else method
    event["timestamp"] = datetime.now(UTC).isoformat()
    return event


@functools.lru_cache(maxsize=1000)
def is_secret(name: str) -> bool:
    """Say whether a field of this name may hold a secret."""
    return any(word in name.lower() for word in SECRET)


def _json(_: Any, __: str, event: MutableMapping[str, Any]) -> bytes:
    return _ENCODER.encode(event)
