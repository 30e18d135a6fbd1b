"""schemathesis against the served document, in this process: invented requests with keys of several roles.

What must hold whatever is sent: no 5xx, only declared answers, each in its declared form and content type.
"""

from __future__ import annotations

import json

import pytest
import schemathesis
import time_machine
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.machine import Machine, key_of
from tests.test_api_matrix import own
from zhili.config.wsgi import application

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("api")]
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ROLES = ("clerk", "villager", "supervisor", "township", None)
EXAMPLES = 3


@pytest.fixture(autouse=True)
def one_connection():
    """As Django's own test client does: a request neither takes nor leaves another database connection."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def test_the_document_is_served_and_says_everything(cast):
    """The document is OpenAPI 3.1; every operation says who, what may come back, and carries a Chinese title."""
    document = Machine(None).get("/openapi.json").json()
    assert document["openapi"].startswith("3.1") and document["info"]["title"] == "智理"
    count = 0
    for path, methods in document["paths"].items():
        for operation in methods.values():
            count += 1
            assert any("\u4e00" <= letter <= "\u9fff" for letter in operation["summary"]), path
            assert bool(operation.get("security")) != path.startswith("/api/v1/open/"), path
            assert {"200", "404", "422", "429"} <= set(operation["responses"]), path
    assert count > 40
    ids = [
        operation["operationId"] for methods in document["paths"].values() for operation in methods.values()
    ]
    assert len(set(ids)) == len(ids)
    assert Machine(None).get("/docs").status_code == 404


@pytest.mark.parametrize("role", ROLES, ids=str)
def test_invented_requests_never_break_it(cast, role):
    """Issue 2 API: no 5xx and no schema violation, valid and invalid data alike."""
    village = own(cast)
    real = {key: str(value) for key, value in vars(village).items()}
    with time_machine.travel("2026-11-04 09:00:00+08:00", tick=False):
        headers = {"Authorization": f"Bearer {key_of(getattr(cast, role))}"} if role else {}
        schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
        for found in schema.get_all_operations():
            operation = found.ok()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
                    continue

                @settings(
                    max_examples=EXAMPLES,
                    derandomize=True,
                    deadline=None,
                    database=None,
                    phases=[Phase.explicit, Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                @given(case=operation.as_strategy(generation_mode=mode))
                def run(case):
                    for name in case.path_parameters or {}:
                        if name in real:  # else nothing past the first look-up would ever be reached
                            case.path_parameters[name] = real[name]
                    with transaction.atomic():
                        case.call_and_validate(headers=headers, checks=CHECKS)
                        transaction.set_rollback(True)

                run()


def test_ids_that_never_were_and_codes_of_all_kinds(cast):
    """Path parameters nobody should send: 404 or 422 in the declared form, never a 5xx or a page."""
    machine = Machine(cast.clerk)
    odd = [
        "%00",
        "%E2%80%AE",
        "..%2F..",
        "a" * 300,
        "５１１７０２１０９２００",
        "'",
        "%25",
        "511702109200%0a",
        "null",
    ]
    for piece in odd:
        for path in ("/villages/{}/claims", "/claims/{}", "/open/{}/heads", "/places/{}",
                     "/open/511702109200/receipts/{}", "/open/511702109200/notices/{}"):  # fmt: skip
            answer = machine.get(path.format(piece))
            assert answer.status_code in (404, 422), (path, piece, answer.status_code)
            assert set(json.loads(answer.content)) == {"message", "field", "hint", "receipt"}
