"""The forms of this room. Field names are those of the actions, so a refusal finds its place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms

from zhili.common.periods import today
from zhili.people.consents import purposes_for
from zhili.people.models import Delegation, Household, Resident, User
from zhili.people.queries import find_user, members, tidy_code

RELATIONS = [(value, label) for value, label in Resident.Relation.choices if value != "head"]
KEEP = "不改就留空；要清掉，填“无”。"


def day(label: str, **options: Any) -> forms.DateField:
    """A date as a date picker, and typed dates on phones without one."""
    return forms.DateField(
        label=label, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **options
    )


def basis(example: str) -> forms.CharField:
    return forms.CharField(label="依据", max_length=200, min_length=2, help_text=f"例如：{example}。")


class HouseholdForm(forms.Form):
    """立户."""

    code = forms.CharField(label="户编号", max_length=20, help_text="印在积分卡上，村里不能重复。")
    head_name = forms.CharField(label="户主姓名", max_length=60)
    group = forms.CharField(label="组", max_length=20, required=False, help_text="例如 3组。")
    address = forms.CharField(label="住址", max_length=60, required=False)
    id_number = forms.CharField(label="户主身份证号", max_length=30, required=False)
    birth_date = day("户主出生日期", required=False, help_text="填了身份证号可以不填。")
    phone = forms.CharField(label="户主电话", max_length=30, required=False)
    opened_on = day("立户日期", initial=today)
    unpublished = forms.BooleanField(
        label="本户不同意公示时写名字", required=False, help_text="不同意的只写户编号，积分照样得、照样用。"
    )


class HouseholdEditForm(forms.Form):
    group = forms.CharField(label="组", max_length=20, required=False)
    address = forms.CharField(label="住址", max_length=60, required=False)


class ResidentForm(forms.Form):
    """A new or a known member; numbers already there are never shown back."""

    name = forms.CharField(label="姓名", max_length=60)
    relation = forms.ChoiceField(label="与户主关系", choices=RELATIONS)
    id_number = forms.CharField(label="身份证号", max_length=30, required=False)
    birth_date = day("出生日期", required=False, help_text="填了身份证号可以不填。")
    phone = forms.CharField(label="电话", max_length=30, required=False)
    bank = forms.CharField(label="银行卡号", max_length=30, required=False)
    status = forms.ChoiceField(label="状态", choices=Resident.Status.choices[:2])
    tags = forms.CharField(
        label="标签", max_length=100, required=False, help_text="例如 党员、低保；用顿号隔开。"
    )

    def __init__(self, *args: Any, resident: Resident | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.resident = resident
        if resident is not None:
            self.fields["id_number"].help_text = self.fields["phone"].help_text = KEEP
            self.fields["bank"].help_text = f"要先有本人的授权。{KEEP}"
            if resident.is_head:
                self.fields.pop("relation")
        else:
            self.fields.pop("bank")

    def values(self) -> dict[str, Any]:
        """What to hand to the action: a number left empty is not touched, 无 clears it."""
        data = {name: value for name, value in self.cleaned_data.items() if name in self.fields}
        data["tags"] = [
            tag for tag in data["tags"].replace("，", "、").replace(",", "、").split("、") if tag.strip()
        ]
        for name in ("phone", "id_number", "bank"):
            if name not in data:
                continue
            if data[name] == "无":
                data[name] = ""
            elif not data[name] and self.resident is not None:
                del data[name]
        if (
            self.resident is not None
            and data.get("id_number")
            and data["birth_date"] == self.resident.birth_date
        ):
            del data["birth_date"]  # the number brings its own
        return data


class _OfHousehold(forms.Form):
    """A form whose choices are the members of one household."""

    def __init__(self, *args: Any, household: Household, **options: Any) -> None:
        super().__init__(*args, **options)
        self.household = household
        self.people = members(household)
        every = [(str(one.pk), f"{one.name}（{one.get_relation_display()}）") for one in self.people]
        others = [pair for pair, one in zip(every, self.people, strict=True) if not one.is_head]
        for name, field in self.fields.items():
            if name == "resident":
                field.choices = every if self.with_head else others  # type: ignore[attr-defined]
            elif name in ("head", "new_head", "residents"):
                empty = [("", "不用选")] if name == "new_head" else []
                field.choices = [*empty, *others]  # type: ignore[attr-defined]

    with_head = False

    def person(self, name: str) -> Resident | None:
        """The member chosen in a field."""
        return next((one for one in self.people if str(one.pk) == self.cleaned_data.get(name)), None)


class DayForm(_OfHousehold):
    """外出, 返乡."""

    on = day("日期", initial=today)
    basis = basis("本人告知")


class CardForm(_OfHousehold):
    basis = basis("老人遗失")


class DeathForm(_OfHousehold):
    with_head = True
    resident = forms.ChoiceField(label="谁")
    on = day("日期", initial=today)
    basis = basis("死亡登记")
    new_head = forms.ChoiceField(label="新户主", required=False, help_text="去世的是户主时要选。")


class NewHeadForm(_OfHousehold):
    resident = forms.ChoiceField(label="新户主")
    former_relation = forms.ChoiceField(label="原户主与新户主的关系", choices=RELATIONS)
    on = day("日期", initial=today)
    basis = basis("户口簿变更")


class SplitForm(_OfHousehold):
    residents = forms.MultipleChoiceField(label="谁分出去", widget=forms.CheckboxSelectMultiple)
    head = forms.ChoiceField(label="新户的户主", help_text="从分出去的人里选。")
    code = forms.CharField(label="新户编号", max_length=20)
    share_percent = forms.IntegerField(
        label="分走百分之几的积分",
        min_value=0,
        max_value=100,
        initial=0,
        help_text="平分填 50，都留在原户填 0。",
    )
    on = day("日期", initial=today)
    basis = basis("户口簿分户、分家协议")


class MergeForm(_OfHousehold):
    into = forms.CharField(label="并到哪一户", max_length=20, help_text="填那一户的户编号；积分一起转过去。")
    on = day("日期", initial=today)
    basis = basis("子女合户")

    def clean_into(self) -> Household:
        code = tidy_code(self.cleaned_data["into"])
        found = Household.objects.filter(place=self.household.place, code=code).first()
        if found is None:
            raise forms.ValidationError("本村没有这个户编号，请核对。")
        return found


class LeaveForm(_OfHousehold):
    """迁出, 销户."""

    on = day("日期", initial=today)
    basis = basis("户口迁出")


class UnmaskForm(forms.Form):
    """One field of one person, with a reason (A-14)."""

    field = forms.ChoiceField(
        label="看哪一个号码", choices=[("id_number", "身份证号"), ("phone", "电话"), ("bank", "银行卡号")],
        widget=forms.RadioSelect,
    )  # fmt: skip
    reason = forms.CharField(
        label="为什么要看", max_length=100, min_length=2, help_text="例如：高龄补贴核对。会留下记录。"
    )


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label="为什么要看", max_length=100, min_length=2, help_text="例如：办理入学证明。会留下记录。"
    )


class NoteForm(forms.Form):
    note = forms.CharField(label="查下来是怎么回事", max_length=200, min_length=2)


ANSWERS = [("yes", "同意"), ("no", "不同意"), ("", "这次不答")]


class ConsentForm(forms.Form):
    """One question per purpose, nothing ticked beforehand; who answered, on which paper."""

    channel = forms.ChoiceField(
        label="怎么答复的", choices=[("desk", "当面"), ("paper", "纸质授权书")], widget=forms.RadioSelect
    )
    given_by = forms.ChoiceField(label="谁答复的", widget=forms.RadioSelect)
    giver = forms.ChoiceField(label="监护人或代办人", required=False)
    paper_number = forms.CharField(
        label="授权书编号", max_length=30, required=False, help_text="纸质的必填，印在右上角。"
    )
    sheet = forms.FileField(
        label="授权书照片", required=False, max_length=120, help_text="拍清楚签名；加密保存，看一次记一次。"
    )

    def __init__(self, *args: Any, resident: Resident, **options: Any) -> None:
        super().__init__(*args, **options)
        self.purposes = purposes_for(resident)
        child = resident.is_minor()
        who = [("guardian", "监护人")] if child else [("person", "本人"), ("delegate", "代办人")]
        self.fields["given_by"].choices = who  # type: ignore[attr-defined]
        self.fields["channel"].initial, self.fields["given_by"].initial = "desk", who[0][0]
        self.people = [
            one for one in members(resident.household) if one.pk != resident.pk and not one.is_minor()
        ]
        people = [(str(one.pk), one.name) for one in self.people]
        self.fields["giver"].choices = [("", "没有"), *people]  # type: ignore[attr-defined]
        for one in self.purposes:
            self.fields[f"p_{one.code}"] = forms.ChoiceField(
                label=one.title, choices=ANSWERS, required=False, widget=forms.RadioSelect, help_text=one.what
            )

    def answers(self) -> dict[str, bool]:
        """purpose → yes or no, of those answered."""
        given = {one.code: self.cleaned_data.get(f"p_{one.code}", "") for one in self.purposes}
        return {code: said == "yes" for code, said in given.items() if said}

    def who_gave(self) -> Resident | None:
        """The guardian or delegate chosen."""
        return next((one for one in self.people if str(one.pk) == self.cleaned_data.get("giver")), None)


class UserField(forms.CharField):
    """A log-in by its exact name → the User."""

    def clean(self, value: Any) -> User:
        found = find_user(super().clean(value))
        if found is None:
            raise forms.ValidationError("没有这个账号，请核对，或先开通账号。")
        return found


class RoleForm(forms.Form):
    user = UserField(label="账号", max_length=150)
    role = forms.ChoiceField(label="身份")
    group = forms.CharField(label="组", max_length=20, required=False, help_text="只有组长要填。")
    valid_from = day("从", initial=today)
    valid_to = day("到", required=False, help_text="留空表示长期。")
    no_kin_declared = forms.BooleanField(
        label="本人已签字声明：不是村委会成员的近亲属（只有监督委员要勾）", required=False
    )

    def __init__(self, *args: Any, roles: list[tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["role"].choices = roles  # type: ignore[attr-defined]


class LoginForm(forms.Form):
    """开通账号. Nobody chooses somebody else's password: a slip with a one-time one follows (N-05)."""

    username = forms.CharField(label="账号", max_length=40, help_text="字母和数字，例如 tanjg1001。")


class StaffLoginForm(LoginForm):
    display_name = forms.CharField(label="姓名", max_length=60)


class DelegationForm(forms.Form):
    """登记代办."""

    delegate = UserField(label="代办人的账号", max_length=150)
    scope = forms.ChoiceField(label="代办什么", choices=Delegation.Scope.choices, initial="all")
    valid_to = day(
        "到哪一天", initial=lambda: today() + timedelta(days=365), help_text="最长一年，随时可以撤销。"
    )
    paper_number = forms.CharField(label="纸质委托书编号", max_length=30, required=False)


class DeskDelegationForm(DelegationForm):
    card = forms.CharField(label="委托人的户编号或卡号", max_length=300)
    person = forms.CharField(label="委托人姓名", max_length=60)


class ImportForm(forms.Form):
    file = forms.FileField(label="Excel 或 CSV 文件", max_length=120, help_text="最大 10 MB。")


class ExportForm(forms.Form):
    reveal = forms.BooleanField(label="带完整的身份证号和电话", required=False)
    reason = forms.CharField(
        label="用途", max_length=100, required=False, help_text="要完整号码时必填，会留下记录。"
    )


class ConfirmForm(forms.Form):
    """A single button, asked once more."""
