"""The rows that say what is stored: find, record, forget; health and engines; failures."""
