"""Refusals of an action, shown in the form they came from, with everything typed still there."""

from __future__ import annotations

from django.forms import BaseForm

from zhili.common.errors import ZhiliError


def show_error(form: BaseForm, error: ZhiliError) -> None:
    """Put an action's refusal beside its field, or on top where it has none here. `form` must be bound and cleaned."""
    form.add_error(error.field if error.field in form.fields else None, str(error))
