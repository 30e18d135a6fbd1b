"""Going to WeChat and coming back (开发者文档: 网页授权; 网站应用微信登录)."""

from __future__ import annotations

from typing import Any, Final

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.weixin.client import WeixinOAuth2Client
from allauth.socialaccount.providers.weixin.views import WeixinOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest

INSIDE: Final = "https://open.weixin.qq.com/connect/oauth2/authorize"
WEBSITE: Final = "https://open.weixin.qq.com/connect/qrconnect"
API: Final = "https://api.weixin.qq.com"


def inside_weixin(request: HttpRequest) -> bool:
    """Whether this is WeChat's own browser."""
    return "MicroMessenger" in request.headers.get("User-Agent", "")


def app_for(request: HttpRequest) -> SocialApp | None:
    """The app that can log this browser in: the public account's inside WeChat, the website's elsewhere."""
    kind = "mp" if inside_weixin(request) else "web"
    apps = get_adapter(request).list_apps(request, provider="weixin")
    return next((app for app in apps if app.settings.get("kind") == kind), None)


class WeixinClient(WeixinOAuth2Client):
    """WeChat answers errors with 200 and an errcode; its authorise address wants a fragment."""

    def get_redirect_url(self, authorization_url: str, scope: list[str], extra_params: dict[str, str]) -> str:
        address = super().get_redirect_url(authorization_url, scope, extra_params)
        return f"{address}#wechat_redirect"

    def get_access_token(self, code: str, pkce_code_verifier: str | None = None) -> dict[str, Any]:
        found: dict[str, Any] = super().get_access_token(code)
        if not isinstance(found.get("openid"), str) or not found["openid"]:
            raise OAuth2Error("no openid in the answer")
        return found


class WeixinAdapter(WeixinOAuth2Adapter):
    client_class = WeixinClient
    access_token_method = "GET"  # noqa: S105 - as documented

    @property
    def access_token_url(self) -> str:
        base = settings.SOCIALACCOUNT_PROVIDERS["weixin"].get("API_URL", API)
        return f"{base}/sns/oauth2/access_token"

    @property
    def authorize_url(self) -> str:
        default = INSIDE if inside_weixin(self.request) else WEBSITE
        return str(settings.SOCIALACCOUNT_PROVIDERS["weixin"].get("AUTHORIZE_URL", default))

    def get_provider(self) -> Any:
        app = app_for(self.request)
        if app is None:
            raise SocialApp.DoesNotExist
        return get_adapter(self.request).get_provider(self.request, "weixin", client_id=app.client_id)

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        """The token's answer already names the person; nothing more is asked of WeChat."""
        return self.get_provider().sociallogin_from_response(request, kwargs["response"])


go = OAuth2LoginView.adapter_view(WeixinAdapter)
back = OAuth2CallbackView.adapter_view(WeixinAdapter)
