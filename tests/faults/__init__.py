"""The use cases under a seeded scheduler: interleavings, faults, lost answers and killed workers, all from one number."""
