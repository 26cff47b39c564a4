"""One module a topic: ROUNDS is how often each side has its turn, `main` measures and prints."""
