"""The provider allauth finds: identities "<appid>:<openid>", no profile."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.providers.oauth2.provider import OAuth2Provider
from django.http import HttpRequest

from zhili.integrations.weixin.views import WeixinAdapter, inside_weixin


class WeixinProvider(OAuth2Provider):
    """One provider, two apps: which one is asked depends on the browser."""

    id = "weixin"
    name = "微信"
    oauth2_adapter_class = WeixinAdapter

    def extract_uid(self, data: dict[str, Any]) -> str:
        return f"{self.app.client_id}:{data['openid']}"

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return {}

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {}

    def get_scope_from_request(self, request: HttpRequest) -> list[str]:
        """Never what the address bar asks for."""
        return ["snsapi_base"] if inside_weixin(request) else ["snsapi_login"]

    def get_auth_params_from_request(self, request: HttpRequest, action: str) -> dict[str, str]:
        return {}


provider_classes = [WeixinProvider]
