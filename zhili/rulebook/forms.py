"""What people fill in about rule books. Only the fields declared here are ever read from a request (A-11)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django import forms

from zhili.common.periods import today
from zhili.rulebook.adopting import MEETINGS, PEOPLE_MAX
from zhili.rulebook.book import Grades, Item, PerUnit, Range, Tiers
from zhili.rulebook.book_yaml import BYTES_MAX, STARTERS
from zhili.rulebook.drafting import REASON_MAX

FILE = "file"
CURRENT = "current"


def day_field(label: str, help_text: str = "", **more: Any) -> forms.DateField:
    """A date as every browser knows it."""
    return forms.DateField(
        label=label,
        help_text=help_text,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "日期不对，请写成 2026-03-05 这样", "required": f"请填写{label}"},
        **more,
    )


def people_field(label: str, help_text: str = "") -> forms.IntegerField:
    """A number of people."""
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        min_value=0,
        max_value=PEOPLE_MAX,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        error_messages={
            "invalid": "请填整数", "required": f"请填写{label}", "min_value": "不能是负数",
            "max_value": f"最多 {PEOPLE_MAX}",
        },
    )  # fmt: skip


def text_field(
    label: str, help_text: str = "", *, rows: int = 0, most: int = 80, **more: Any
) -> forms.CharField:
    """One line, or several where rows says so."""
    widget = forms.Textarea(attrs={"rows": rows}) if rows else forms.TextInput()
    errors = {"required": f"请填写{label}", "max_length": f"最多 {most} 个字"}
    return forms.CharField(
        label=label, help_text=help_text, max_length=most, widget=widget, error_messages=errors, **more
    )


class SeenForm(forms.Form):
    """Carries the fingerprint of the text the person had before them, so that a stale page is refused."""

    seen = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)


class NewForm(forms.Form):
    """How a new version begins: a starter book, the one in force, or a file."""

    start = forms.ChoiceField(
        label="从哪里开始", widget=forms.RadioSelect, error_messages={"required": "请选一种开始的办法"}
    )
    title = text_field("名称", "例如：谭家沟村积分细则。上传文件的，用文件里的名称", required=False)
    valid_from = day_field(
        "打算从哪天施行", "用样板或沿用现行版的要填；上传文件的看文件里写的", required=False
    )
    upload = forms.FileField(
        label="文件", help_text="Excel（.xlsx）或 YAML（.yaml），选“上传文件”才要", required=False
    )
    text = forms.CharField(
        label="文件内容（可在这里直接改）", required=False, max_length=BYTES_MAX,
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false", "class": "book-text"}),
    )  # fmt: skip

    def __init__(self, *args: Any, has_current: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(name, f"样板：{title}") for name, title in STARTERS.items()]
        if has_current:
            choices.insert(0, (CURRENT, "沿用最近一版，再修改"))
        choices.append((FILE, "上传文件：填好的 Excel 模板或 YAML"))
        self.fields["start"].choices = choices  # type: ignore[attr-defined]
        self.fields["valid_from"].initial = first_of_next_month()

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        start = found.get("start")
        if start == FILE:
            if not found.get("upload") and not found.get("text"):
                self.add_error("upload", "还没有选文件")
        elif start and not found.get("valid_from") and "valid_from" not in self.errors:
            self.add_error("valid_from", "请填写打算从哪天施行")
        return found


class EditForm(SeenForm):
    """A new text for a draft: a file, or the text itself."""

    upload = forms.FileField(label="改好的文件", help_text="Excel（.xlsx）或 YAML（.yaml）", required=False)
    text = forms.CharField(
        label="细则全文", required=False, max_length=BYTES_MAX,
        widget=forms.Textarea(attrs={"rows": 28, "spellcheck": "false", "class": "book-text"}),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if not found.get("upload") and not (found.get("text") or "").strip():
            raise forms.ValidationError("请上传文件，或者在下面写上全文")
        return found


class ConsultForm(SeenForm):
    """征求意见."""

    on = day_field("开始日期", "张贴或发到群里的那一天")
    until = day_field("结束日期", "至少 3 天，一般 7 天以上")
    note = text_field(
        "怎样提意见",
        "写给村民看，例如：到村委会找文书，或打公开电话",
        rows=3,
        most=REASON_MAX,
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].initial, self.fields["until"].initial = today(), today() + timedelta(days=7)


class AdoptForm(SeenForm):
    """表决记录."""

    meeting = forms.ChoiceField(
        label="什么会议",
        choices=[(key, name) for key, (name, _, _) in MEETINGS.items()],
        error_messages={"required": "请选会议", "invalid_choice": "请在列出的会议里选"},
    )
    on = day_field("开会日期")
    entitled = people_field("应到人数", "全体村民代表，或有权参加会议的村民（户）数")
    present = people_field("到会人数", "照签到表填")
    in_favour = people_field("赞成")
    against = people_field("反对", "没有就填 0；其余算弃权")
    women_present = people_field("到会妇女")
    minutes_ref = text_field("会议记录编号", "纸质会议记录上的编号，以后查得到")


class FileForm(SeenForm):
    """备案回执."""

    on = day_field("收到日期")
    receipt = text_field("备案编号", "乡镇政府登记的编号")
    note = text_field("备注", rows=2, most=REASON_MAX, required=False)


class InForceForm(SeenForm):
    """施行."""

    on = day_field("从哪天施行", "从这一天起发生的事按这一版算；以前的事不重算")


class WithdrawForm(forms.Form):
    """撤回."""

    reason = text_field("为什么撤回", "会留在记录里", rows=3, most=REASON_MAX)


class OverrideForm(SeenForm):
    """法审意见: which items, and the opinion everybody will read."""

    items = forms.MultipleChoiceField(
        label="哪些项目",
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": "请至少选一项",
            "invalid_choice": "有的项目不需要法审，或者已经审过，请刷新页面",
        },
    )
    reason = text_field("审核意见", "会公开给全体村民看，请写清依据和理由", rows=5, most=REASON_MAX)
    opinion_ref = text_field("文书编号", "司法所或法律顾问出的意见书编号", required=False)

    def __init__(self, *args: Any, waiting: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The book as a whole has no code; a tick box needs a value.
        self.fields["items"].choices = [(code or "*", title) for code, title in waiting]  # type: ignore[attr-defined]

    def clean_items(self) -> list[str]:
        return ["" if code == "*" else code for code in self.cleaned_data["items"]]


class TryForm(forms.Form):
    """试算: one event, or the same event several times on one day, to see the caps work."""

    on = day_field("发生日期")
    quantity = forms.DecimalField(
        label="数量", required=False, min_value=0, max_digits=14, decimal_places=4,
        error_messages={"invalid": "请填数字", "min_value": "不能是负数"},
    )  # fmt: skip
    grade = forms.ChoiceField(label="等级", required=False)
    points = forms.DecimalField(
        label="评定的分数",
        required=False,
        max_digits=8,
        decimal_places=2,
        error_messages={"invalid": "请填数字"},
    )
    times = forms.IntegerField(
        label="同一天做几次", min_value=1, max_value=20, initial=1, help_text="填多次，可以看出上限怎么起作用",
        error_messages={"invalid": "请填整数", "min_value": "最少 1 次", "max_value": "最多 20 次"},
    )  # fmt: skip

    def __init__(self, *args: Any, item: Item, first: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shape = item.points
        self.fields["on"].initial = max(first, today())
        keep = {"on", "times"}
        if isinstance(shape, PerUnit | Tiers):
            keep.add("quantity")
            self.fields["quantity"].required = True
            self.fields["quantity"].label = f"数量（{shape.of}）"
            self.fields["quantity"].error_messages["required"] = f"请填写数量，单位是{shape.of}"
        elif isinstance(shape, Grades):
            keep.add("grade")
            self.fields["grade"].required = True
            self.fields["grade"].choices = [(grade, grade) for grade in shape.grades]  # type: ignore[attr-defined]
        elif isinstance(shape, Range):
            keep.add("points")
            self.fields["points"].required = True
            self.fields["points"].error_messages["required"] = "请填写评定的分数"
        for name in set(self.fields) - keep:
            del self.fields[name]


def first_of_next_month() -> date:
    """When a book that is begun today may best begin."""
    day = today()
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
