"""Reads a backup of the accounts."""

from django.core.management.commands import loaddata

from sequence.management.on_accounts import OnAccounts


class Command(OnAccounts, loaddata.Command):
    """manage.py loaddata."""
