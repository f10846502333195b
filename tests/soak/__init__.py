"""Long proofs with real processes: what the simulation of `tests/faults` shows in one process, under `kill -9`."""
