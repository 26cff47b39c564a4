"""Changes an account's password."""

from django.contrib.auth.management.commands import changepassword

from sequence.management.on_accounts import OnAccounts


class Command(OnAccounts, changepassword.Command):
    """manage.py changepassword."""
