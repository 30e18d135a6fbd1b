"""Logging in: no self sign-up; a clerk makes the accounts of people she knows. The views are allauth's."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import LoginForm
from allauth.account.views import LoginView, LogoutView, PasswordChangeView, PasswordSetView
from allauth.mfa.base.views import AuthenticateView
from django.http import HttpRequest
from django.urls import path

from zhili.common.policy import open_to_all, signed_in


class Adapter(DefaultAccountAdapter):
    """Accounts are made by a clerk for people she knows; nobody signs up by themselves (N-01)."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class OurLoginForm(LoginForm):
    """The label says it; a placeholder that repeats it only looks like an answer already given."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
        self.fields["login"].label = "用户名"


log_in = open_to_all(LoginView.as_view(template_name="web/login.html", form_class=OurLoginForm))
log_out = signed_in(LogoutView.as_view(template_name="web/logout.html"))
change_password = signed_in(PasswordChangeView.as_view(template_name="web/password.html", success_url="/"))
# For a log-in made without a password (a card, WeChat): the first one.
set_password = signed_in(PasswordSetView.as_view(template_name="web/password.html", success_url="/"))
second_factor = open_to_all(AuthenticateView.as_view(template_name="web/second_factor.html"))

# The names are allauth's own: it reverses them itself.
urlpatterns = [
    path("login/", log_in, name="account_login"),
    path("login/code/", second_factor, name="mfa_authenticate"),
    path("logout/", log_out, name="account_logout"),
    path("password/", change_password, name="account_change_password"),
    path("password/first/", set_password, name="account_set_password"),
]
