"""The provider allauth finds: identities "<client id>:<openId>"; name, picture and mobile are not kept."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.providers.oauth2.provider import OAuth2Provider
from django.http import HttpRequest

from zhili.integrations.dingtalk.views import DingTalkAdapter


class DingTalkProvider(OAuth2Provider):
    id = "dingtalk"
    name = "钉钉"
    oauth2_adapter_class = DingTalkAdapter

    def extract_uid(self, data: dict[str, Any]) -> str:
        return f"{self.app.client_id}:{data['openId']}"

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return {}

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {}

    def get_scope_from_request(self, request: HttpRequest) -> list[str]:
        """Never what the address bar asks for."""
        return ["openid"]

    def get_auth_params_from_request(self, request: HttpRequest, action: str) -> dict[str, str]:
        return {"prompt": "consent"}


provider_classes = [DingTalkProvider]
