"""Messages a person meets."""

import pickle

import pytest

from zhili.common.errors import NotAllowed, NotFound, ZhiliError


@pytest.mark.parametrize("kind", [ZhiliError, NotAllowed, NotFound])
def test_an_error_carries_what_a_page_shows(kind):
    error = kind("户编号重复", field="household", hint="请换一个。")
    assert (error.message, error.field, error.hint) == ("户编号重复", "household", "请换一个。")
    assert str(error) == "户编号重复，请换一个。"


def test_without_a_hint_the_message_stands_alone():
    assert str(ZhiliError("户编号重复")) == "户编号重复"
    assert str(ZhiliError("户编号重复。", hint="请换。")) == "户编号重复。请换。"


def test_an_error_survives_the_way_to_another_process():
    error = pickle.loads(pickle.dumps(NotAllowed("不能评议本户", field="by", hint="请回避。")))
    assert isinstance(error, NotAllowed)
    assert (error.message, error.field, error.hint) == ("不能评议本户", "by", "请回避。")
