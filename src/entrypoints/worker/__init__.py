"""Worker processes: the relay, the reactions and the periodic tasks."""

from entrypoints.worker.loops import beside_requests, closing_windows, relaying, tidying, working, writing_history

__all__ = ["beside_requests", "closing_windows", "relaying", "tidying", "working", "writing_history"]
