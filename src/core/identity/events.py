"""What happens to the people of a tenant."""

from __future__ import annotations

from core.kernel.events import Fact

FACTS: tuple[type[Fact], ...] = ()
"""None yet: people are seeded with their tenant."""
