"""A machine that speaks to /api/v1/ with somebody's key, and the list of everything it may ask."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.test import Client
from ninja.operation import Operation

from zhili.common.periods import today
from zhili.people.models import User
from zhili.people.tokens import issue_token

ROOT = "/api/v1"


def key_of(user: User, days: int = 200) -> str:
    """A fresh key for this person, as the administrator at the machine gives it."""
    return issue_token(by=None, user=user, title="测试", expires_on=today() + timedelta(days=days))[1]


class Machine:
    """get and post under /api/v1/ as `user` (None: without a key). Answers are Django's responses."""

    def __init__(self, user: User | None) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {key_of(user)}"} if user else {}

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(ROOT + path, query, headers=self.headers)

    def post(self, path: str, body: Any = None) -> Any:
        return self.client.post(
            ROOT + path, body or {}, content_type="application/json", headers=self.headers
        )

    def upload(self, path: str, fields: dict[str, Any]) -> Any:
        return self.client.post(ROOT + path, fields, headers=self.headers)


def operations() -> Iterator[tuple[str, str, Operation]]:
    """(method, path, operation) of everything under /api/v1/."""
    from zhili.config.api import api

    for bound in api._get_bound_routers():
        for path, view in bound.path_operations.items():
            for operation in view.operations:
                for method in operation.methods:
                    yield method, path, operation
