"""Django's SQLite, for an index that may be damaged."""
