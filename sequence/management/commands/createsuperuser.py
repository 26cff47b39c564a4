"""Creates an account of the admin, in a fresh data directory too."""

from django.contrib.auth.management.commands import createsuperuser

from sequence.management.on_accounts import OnAccounts


class Command(OnAccounts, createsuperuser.Command):
    """manage.py createsuperuser."""
