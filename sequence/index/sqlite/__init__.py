"""Django's SQLite, for files that may be damaged, deleted or replaced."""
