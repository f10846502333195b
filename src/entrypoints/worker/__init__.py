"""Worker processes: the relay, the reactions and the periodic tasks."""

from entrypoints.worker.loops import closing_windows, relaying, tidying, working

__all__ = ["closing_windows", "relaying", "tidying", "working"]
