"""The admin's accounts: original data, in a database of their own."""
