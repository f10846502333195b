"""What Prometheus is told of this process: the requests that it answered, and the process itself."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, Info, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.types import Scope

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds, each bound included; the last is how long a request may take."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER: Final = "other"
"""Stands for what a client made up: a method of its own, a path that no route has."""

_BOUNDS: Final = (*map(str, BUCKETS), "+Inf")


class Requests(Collector):
    """Counts requests by method, route and status.

    A label never holds what a client chose freely, so there are only so many. Numbers are in a plain table, not in the library's
    counters with their locks, because every request pays for them; the event loop alone writes there.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, int], list[float]] = {}
        """How many in each bucket and above the last, then the seconds of all."""

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Note a request that ended; `status` is 0 where nobody was left to answer."""
        route = scope.get("route")
        method = scope["method"]
        key = (method if method in METHODS else OTHER, OTHER if route is None else route.path, status)
        row = self._seen.get(key)
        if row is None:
            row = self._seen[key] = [0] * (len(BUCKETS) + 2)
        row[bisect_left(BUCKETS, seconds)] += 1
        row[-1] += seconds

    def collect(self) -> Iterable[Metric]:
        """Tell the library what was counted."""
        counted = CounterMetricFamily(
            "cuadrilla_http_requests", "Requests by what was answered.", labels=("method", "route", "status")
        )
        lasted = HistogramMetricFamily(
            "cuadrilla_http_request_duration_seconds", "How long requests took.", labels=("method", "route")
        )
        together: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
        for (method, route, status), row in sorted((key, list(row)) for key, row in list(self._seen.items())):
            counted.add_metric((method, route, str(status)), sum(row[:-1]))
            together[method, route].append(row)
        for labels, rows in together.items():
            *buckets, seconds = map(sum, zip(*rows, strict=True))
            lasted.add_metric(labels, list(zip(_BOUNDS, accumulate(buckets), strict=True)), seconds)
        return counted, lasted


class Metrics:
    """All that there is to scrape of one process, in a registry of its own."""

    def __init__(self, *, version: str) -> None:
        self.requests = Requests()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self.requests)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        Info("cuadrilla_build", "What runs here.", registry=self._registry).info({"version": version})

    def written(self, accept: str) -> tuple[bytes, str]:
        """Return everything and its media type, in the format that an `Accept` header asks for; takes milliseconds."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type
