"""Writes the accounts down, for a backup."""

from django.core.management.commands import dumpdata

from sequence.management.on_accounts import OnAccounts


class Command(OnAccounts, dumpdata.Command):
    """manage.py dumpdata."""
