"""Log-in policy on top of allauth: no self sign-up; a clerk makes accounts."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class Adapter(DefaultAccountAdapter):
    """Accounts are made by a clerk for people she knows; nobody signs up by themselves (N-01)."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
