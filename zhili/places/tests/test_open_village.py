"""The open village page needs no log-in."""

import pytest
from django.test import Client


@pytest.mark.django_db
def test_it_works_without_log_in():
    page = Client().get("/open/511702109200/")
    assert page.status_code == 200
    assert "谭家沟村" in page.content.decode()


@pytest.mark.django_db
def test_an_unknown_place_is_a_plain_404():
    page = Client().get("/open/999999999999/")
    assert page.status_code == 404
    assert "找不到这一页" in page.content.decode()
