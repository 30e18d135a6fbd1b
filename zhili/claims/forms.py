"""The forms of claims: what a person types. Everything else (village, points, status) comes from the server."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from zhili.claims.models import Recusal, Review
from zhili.claims.photos import PHOTOS_MAX
from zhili.claims.stash import keep, present
from zhili.common.errors import ZhiliError
from zhili.common.ids import uuid7
from zhili.common.periods import today
from zhili.common.points import parse_points
from zhili.people.models import Resident, User
from zhili.rulebook import book as format_1


class PhotoInput(forms.FileInput):
    """Several photos at once, from the camera or the album."""

    allow_multiple_selected = True


class PhotosField(forms.FileField):
    """Zero or more uploaded photos; cleaned to a list."""

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        files = data if isinstance(data, (list, tuple)) else [data]
        return [super(PhotosField, self).clean(one, initial) for one in files if one]


class DayInput(forms.DateInput):
    """The phone's own calendar."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class PointsField(forms.CharField):
    """Points as people write them; cleaned to hundredths, None where empty."""

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_points(text)
        except ZhiliError as error:
            raise forms.ValidationError(str(error)) from error


class ClaimForm(forms.Form):
    """One claim for one item: asks only what this item needs."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    occurred_on = forms.DateField(label="哪一天的事", widget=DayInput())
    kept = forms.CharField(widget=forms.HiddenInput, required=False, max_length=600)

    def __init__(
        self,
        *args: Any,
        by: User,
        item: format_1.Item,
        members: Sequence[Resident],
        by_resident: bool,
        staff: bool,
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        self.by = by
        if not self.is_bound:
            self.initial = {"id": uuid7(), "occurred_on": today(), **self.initial}
        self._ask_who(members, by_resident)
        self._ask_how_much(item)
        if item.deducts and staff:
            self._ask_about_reminder(item)
        self._ask_for_proof(item, staff)
        names = ["id", "kept", "resident", "quantity", "grade", "occurred_on", "reminded_on", "heard", "text"]
        self.order_fields([*names, "photo", "photos", "witness", "document"])

    def _ask_who(self, members: Sequence[Resident], by_resident: bool) -> None:
        choices = [(str(one.pk), one.name) for one in members]
        if not by_resident:
            choices.insert(0, ("", "全家一起"))
        self.fields["resident"] = forms.ChoiceField(label="谁做的", choices=choices, required=by_resident)
        self.members = {str(one.pk): one for one in members}

    def _ask_how_much(self, item: format_1.Item) -> None:
        shape = item.points
        if isinstance(shape, (format_1.PerUnit, format_1.Tiers)):
            self.fields["quantity"] = forms.DecimalField(
                label=f"多少{shape.of}",
                min_value=Decimal("0.0001"),
                max_digits=14,
                decimal_places=4,
                widget=forms.NumberInput(
                    attrs={"inputmode": "decimal", "step": "any", "autocomplete": "off"}
                ),
            )
        elif isinstance(shape, format_1.Grades):
            choices = [(grade, grade) for grade in shape.grades]
            self.fields["grade"] = forms.ChoiceField(label="等次", choices=choices, widget=forms.RadioSelect)

    def _ask_about_reminder(self, item: format_1.Item) -> None:
        needed = item.is_deduction
        self.fields["reminded_on"] = forms.DateField(
            label="哪天提醒过",
            widget=DayInput(),
            required=needed,
            help_text="扣分之前要先提醒，给改正的机会。",
        )
        self.fields["heard"] = forms.CharField(
            label="本户怎么说", max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 2}),
            help_text="可以以后补写；没有写，就不能评议。",
        )  # fmt: skip

    def _ask_for_proof(self, item: format_1.Item, staff: bool) -> None:
        self.fields["text"] = forms.CharField(
            label="说几句", max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 3}),
            help_text="在哪里，做了什么。不要写别人的电话和身份证号。",
        )  # fmt: skip
        self.fields["photo"] = forms.FileField(
            label="拍照", required=False,
            widget=forms.FileInput(attrs={"accept": "image/*", "capture": "environment"}),
        )  # fmt: skip
        self.fields["photos"] = PhotosField(
            label="从相册选照片", required=False, widget=PhotoInput(attrs={"accept": "image/*", "multiple": True}),
            help_text=f"最多 {PHOTOS_MAX} 张。",
        )  # fmt: skip
        self.fields["witness"] = forms.CharField(
            label="谁看见了（证明人）", max_length=60, required=False, help_text="写名字，例如：演示乙。"
        )
        if staff:
            self.fields["document"] = forms.CharField(
                label="纸质材料",
                max_length=100,
                required=False,
                help_text="什么材料，放在哪里，例如：捐款收据 0012，村办公室。",
            )

    def clean_resident(self) -> Resident | None:
        return self.members.get(self.cleaned_data["resident"])

    def clean(self) -> dict[str, Any]:
        """New photos are put aside at once: what was sent is never lost, whatever else is wrong."""
        data = super().clean() or self.cleaned_data
        tokens = present(self.by, str(data.get("kept", "")).split())
        dropped = set(self.data.getlist("drop") if hasattr(self.data, "getlist") else [])
        tokens = [token for token in tokens if token not in dropped]
        uploads = [*data.get("photos", []), *([data["photo"]] if data.get("photo") else [])]
        if len(tokens) + len(uploads) > PHOTOS_MAX:
            self.add_error(
                "photos", f"照片最多 {PHOTOS_MAX} 张，这里有 {len(tokens) + len(uploads)} 张。请去掉几张。"
            )
            uploads = uploads[: max(0, PHOTOS_MAX - len(tokens))]
        for upload in uploads:
            try:
                tokens.append(keep(self.by, upload))
            except ZhiliError as error:
                self.add_error("photos", str(error))
        self.tokens = data["kept"] = tokens
        # The page that comes back carries the new tokens, not the ones that came in.
        again: Any = self.data.copy()  # type: ignore[attr-defined]
        again["kept"] = " ".join(tokens)
        self.data = again
        return data


class ReviewForm(forms.Form):
    """One decision. `status` is what the page showed: a stale page is refused, not guessed at."""

    decision = forms.ChoiceField(label="决定", choices=Review.Decision.choices)
    points = PointsField(
        label="评几分", required=False, max_length=12, widget=forms.TextInput(attrs={"inputmode": "decimal"})
    )
    reason = forms.CharField(
        label="理由", max_length=200, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    status = forms.CharField(widget=forms.HiddenInput, max_length=14)


class WordsForm(forms.Form):
    """A hearing, a visit, a withdrawal: a few words."""

    text = forms.CharField(label="内容", max_length=300, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(
        self, *args: Any, label: str = "内容", limit: int = 300, required: bool = True, **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self.fields["text"] = forms.CharField(
            label=label, max_length=limit, required=required, widget=forms.Textarea(attrs={"rows": 3})
        )


class RecusalForm(forms.Form):
    """A tie put on record."""

    user = forms.ChoiceField(label="谁要回避")
    household = forms.CharField(label="哪一户（户编号）", max_length=20)
    kind = forms.ChoiceField(label="原因", choices=Recusal.Kind.choices, widget=forms.RadioSelect)
    note = forms.CharField(label="说明", max_length=100, required=False)

    def __init__(self, *args: Any, people: Sequence[tuple[str, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["user"].choices = people  # type: ignore[attr-defined]


class ActivityForm(forms.Form):
    """A group that did something together."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    activity = forms.CharField(label="活动名称", max_length=60, help_text="例如：7月18日清扫河道。")
    item = forms.ChoiceField(label="记哪一项")
    occurred_on = forms.DateField(label="哪一天", widget=DayInput())
    quantity = forms.DecimalField(
        label="每人多少（按数量记分的项目才填）", required=False, max_digits=14, decimal_places=4,
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "any"}),
    )  # fmt: skip
    grade = forms.CharField(label="等次（评等次的项目才填）", required=False, max_length=20)
    document = forms.CharField(label="签到表放在哪里", required=False, max_length=100)

    def __init__(self, *args: Any, items: Sequence[tuple[str, Any]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["item"].choices = [("", "请选择"), *items]  # type: ignore[attr-defined]
        if not self.is_bound:
            self.initial = {"id": uuid7(), "occurred_on": today(), **self.initial}


class SheetForm(forms.Form):
    """An Excel sheet of claims."""

    file = forms.FileField(label="Excel 表", widget=forms.FileInput(attrs={"accept": ".xlsx,.csv"}))
