"""Forms of this room. Field names are those of the actions, so a refusal finds its place."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django import forms

from zhili.common.periods import SHANGHAI, today
from zhili.people.forms import day
from zhili.people.models import Resident
from zhili.privacy.breach import KINDS
from zhili.privacy.golive import QUESTIONS, RISKS
from zhili.privacy.models import Recipient, Request
from zhili.privacy.register import SUBJECTS
from zhili.privacy.requests import FOR_THE_DEAD, NEEDS_TEXT


def long_text(label: str, *, rows: int = 3, most: int = 500, **options: Any) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=most, widget=forms.Textarea(attrs={"rows": rows}), strip=True, **options
    )


class AskForm(forms.Form):
    """One request on the phone: at most one thing to write."""

    text = long_text("说明", required=False)

    def __init__(self, *args: Any, kind: str, **options: Any) -> None:
        super().__init__(*args, **options)
        needed = NEEDS_TEXT.get(Request.Kind(kind))
        self.fields["text"].label = f"请{needed}" if needed else "还有什么要说的"
        self.fields["text"].help_text = "不要写证件号、电话、卡号。" if needed else "可以不写。"


class DeskAskForm(forms.Form):
    """A request taken in at the desk or keyed in from paper."""

    kind = forms.ChoiceField(label="要求", choices=Request.Kind.choices)
    asked_by = forms.ChoiceField(label="谁提的", choices=Request.AskedBy.choices)
    asker_name = forms.CharField(
        label="代提人姓名", max_length=60, required=False, help_text="本人提的不用填。"
    )
    relation = forms.CharField(
        label="与本人的关系", max_length=30, required=False, help_text="例如：女儿。看过证明再收。"
    )
    text = long_text("说明", required=False, help_text="不要写证件号、电话、卡号。")
    channel = forms.ChoiceField(label="怎么提的", choices=[("desk", "当面"), ("paper", "纸质申请表")])
    paper_number = forms.CharField(
        label="申请表编号", max_length=30, required=False, help_text="纸质的要填，写在表的右上角。"
    )

    def __init__(self, *args: Any, resident: Resident, **options: Any) -> None:
        super().__init__(*args, **options)
        if resident.status == Resident.Status.DEAD:
            self.fields["kind"] = forms.ChoiceField(
                label="要求", choices=[(one.value, one.label) for one in FOR_THE_DEAD]
            )
            self.fields["asked_by"] = forms.ChoiceField(
                label="谁提的", choices=[("relative", "已故者近亲属")]
            )
        else:
            choices = [pair for pair in Request.AskedBy.choices if pair[0] != "relative"]
            if not resident.is_minor():
                choices = [pair for pair in choices if pair[0] != "guardian"]
            self.fields["asked_by"] = forms.ChoiceField(label="谁提的", choices=choices)


class FindForm(forms.Form):
    """Whose data: by 户编号 or a name."""

    q = forms.CharField(label="户编号、姓名或拼音首字母", max_length=40)


class WordsForm(forms.Form):
    """An answer, a reason."""

    text = long_text("写给本人的话")


class RecipientForm(forms.Form):
    """对外提供登记."""

    name = forms.CharField(label="接收方", max_length=80, help_text="单位全称。")
    kind = forms.ChoiceField(label="身份", choices=Recipient.Kind.choices)
    contact = forms.CharField(label="联系方式", max_length=80)
    purpose = forms.CharField(label="目的", max_length=200)
    data_kinds = forms.CharField(label="信息种类", max_length=200, help_text="例如：户编号、积分余额。")
    method = forms.CharField(label="方式", max_length=100, help_text="例如：本人申请后由系统出具证明。")
    contract = forms.CharField(label="合同或协议编号", max_length=100)
    basis = forms.CharField(
        label="依据", max_length=200, help_text="例如：本人单独同意（个人信息保护法第二十三条）。"
    )
    starts_on = day("从", initial=today)
    ends_on = day("到")
    no_onward = forms.BooleanField(label="合同写明不得转委托", required=False)


class AssessmentForm(forms.Form):
    """影响评估: for each subject the three questions of article 56 and how high the risk is."""

    title = forms.CharField(label="名称", max_length=80, initial="个人信息保护影响评估")
    conclusion = long_text("结论", most=1000, help_text="例如：风险可控，可以上线；每年复查一次。")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for code in SUBJECTS:
            for name, question in QUESTIONS.items():
                self.fields[f"{code}_{name}"] = long_text(question, rows=2, most=2000)
            self.fields[f"{code}_level"] = forms.ChoiceField(
                label="风险", choices=[("", "请选"), *((one, one) for one in RISKS)]
            )

    def groups(self) -> list[dict[str, Any]]:
        """Subject by subject, for the page."""
        return [
            {
                "code": code,
                "title": title,
                "fields": [self[f"{code}_{name}"] for name in (*QUESTIONS, "level")],
            }
            for code, title in SUBJECTS.items()
        ]

    def answers(self) -> dict[str, Any]:
        data = self.cleaned_data
        subjects = {
            code: {name: data[f"{code}_{name}"] for name in (*QUESTIONS, "level")} for code in SUBJECTS
        }
        return {"subjects": subjects, "conclusion": data["conclusion"]}


class MinorsForm(forms.Form):
    year = forms.IntegerField(label="年份", min_value=2020, max_value=2100)
    findings = long_text("发现的问题和整改", help_text="没有问题也要写明怎么查的。")


class ReportForm(forms.Form):
    to = forms.CharField(label="报告给", max_length=60, help_text="例如：乡镇人民政府。")
    on = day("日期", initial=today)


class BreachForm(forms.Form):
    """What is known of an incident, and what the people must be told (57)."""

    since = day("从哪一天")
    until = day("到哪一天", initial=today)
    actors = forms.CharField(
        label="哪些账号",
        max_length=400,
        required=False,
        help_text="账号名，多个用逗号隔开；不知道就留空，按所有人算。",
    )
    kinds = forms.MultipleChoiceField(
        label="哪些操作", choices=[(code, title) for code, (title, _) in KINDS.items()], initial=list(KINDS),
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    data_kinds = forms.CharField(
        label="涉及的信息种类", max_length=200, help_text="例如：姓名、户编号、身份证号。"
    )
    cause = long_text("原因", rows=2)
    harm = long_text("可能的危害", rows=2)
    remedies = long_text("已经采取的补救措施", rows=2)
    advice = long_text("个人可以怎么做", rows=2)
    contact = forms.CharField(label="联系方式", max_length=100, help_text="办公电话和地点。")

    def window(self) -> tuple[datetime, datetime]:
        """The first and the last moment of the days given."""
        data = self.cleaned_data
        return (
            datetime.combine(data["since"], time.min, tzinfo=SHANGHAI),
            datetime.combine(data["until"], time.max, tzinfo=SHANGHAI),
        )

    def texts(self) -> dict[str, str]:
        names = ("data_kinds", "cause", "harm", "remedies", "advice", "contact")
        return {name: self.cleaned_data[name] for name in names}
