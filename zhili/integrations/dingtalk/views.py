"""Going to DingTalk and coming back (开放平台: 获取用户 token, 获取用户通讯录个人信息)."""

from __future__ import annotations

from typing import Any, Final

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.dingtalk.client import DingTalkOAuth2Client
from allauth.socialaccount.providers.dingtalk.views import DingTalkOAuth2Adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.conf import settings
from django.http import HttpRequest

API: Final = "https://api.dingtalk.com"
AUTHORIZE: Final = "https://login.dingtalk.com/oauth2/auth"


class DingTalkClient(DingTalkOAuth2Client):
    """Answers that lack a key are refused in the same way as errors."""

    def get_access_token(self, code: str, pkce_code_verifier: str | None = None) -> dict[str, Any]:
        try:
            found: dict[str, Any] = super().get_access_token(code)
        except KeyError as error:
            raise OAuth2Error(f"the answer lacks {error}") from error
        return found


class DingTalkAdapter(DingTalkOAuth2Adapter):
    client_class = DingTalkClient

    @property
    def access_token_url(self) -> str:
        return f"{_setting('API_URL', API)}/v1.0/oauth2/userAccessToken"

    @property
    def profile_url(self) -> str:
        return f"{_setting('API_URL', API)}/v1.0/contact/users/me"

    @property
    def authorize_url(self) -> str:
        return _setting("AUTHORIZE_URL", AUTHORIZE)

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        with get_adapter().get_requests_session() as session:
            answer = session.get(self.profile_url, headers={"x-acs-dingtalk-access-token": token.token})
            answer.raise_for_status()
            profile = answer.json()
        if (
            not isinstance(profile, dict)
            or not isinstance(profile.get("openId"), str)
            or not profile["openId"]
        ):
            raise OAuth2Error("no openId in the answer")
        return self.get_provider().sociallogin_from_response(request, profile)


def _setting(name: str, default: str) -> str:
    return str(settings.SOCIALACCOUNT_PROVIDERS["dingtalk"].get(name, default))


go = OAuth2LoginView.adapter_view(DingTalkAdapter)
back = OAuth2CallbackView.adapter_view(DingTalkAdapter)
