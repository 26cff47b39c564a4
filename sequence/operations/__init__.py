"""What operators run: populate, distribute, verify, prune, reconcile."""
