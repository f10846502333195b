"""One package per technology; none knows another, and only `entrypoints.wiring` knows them."""
