"""The service on several hosts, all of it on one machine: `make cluster`, docs/scaling.md."""
