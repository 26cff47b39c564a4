"""Measurements of the service beside its peers: `python -m benchmarks [topic ...]` runs them."""
