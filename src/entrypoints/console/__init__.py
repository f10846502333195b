"""The console at `/app`: where the people of a business work, in a browser.

Server-rendered pages; htmx only makes them quicker. A browser holds one cookie, which stands for its session; every form holds
a token that only our pages of that session hold, and all that changes something is a POST. A `Turn` is one request, a `page` its answer.
"""

from entrypoints.console.routes import PAGES, console_routes
from entrypoints.console.turn import Doors

__all__ = ["PAGES", "Doors", "console_routes"]
