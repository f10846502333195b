"""The sandbox AFIP as a process of its own that can be killed: `python -m tests.entrypoints.sandbox.afip_process FILE PORT`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from entrypoints.sandbox.afip import AfipState, afip_routes

if __name__ == "__main__":
    state = AfipState(Path(sys.argv[1]))
    descriptions = resources.files("adapters.afip") / "wsdl"
    routes = afip_routes(
        wsaa_wsdl=(descriptions / "wsaa.wsdl").read_bytes(),
        wsfe_wsdl=(descriptions / "wsfev1.wsdl").read_bytes(),
        state=state,
        clock=lambda: datetime.now(UTC),
    )
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
