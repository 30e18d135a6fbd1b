"""Template tags and filters every page may use without loading: points, masked names, days, icons, fields, states."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

from django import forms, template
from django.forms import BoundField
from django.template.loader_tags import BLOCK_CONTEXT_KEY
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from zhili.common.masking import mask_name
from zhili.common.points import format_points, format_signed

register = template.Library()
ICONS = Path(__file__).resolve().parents[1] / "static" / "vendor" / "icons"

# Word families of states; the first that fits decides. The word itself always stands on the page.
TONES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("bad", ("bad", "danger", "error", "未通过", "不通过", "阻断", "失败", "逾期", "超期", "不成立")),
    ("due", ("due", "warning", "异议", "请补充", "退回", "到期", "暂缓", "需法审", "提醒", "快到", "未处理")),
    (
        "off",
        (
            "off",
            "撤",
            "迁出",
            "销户",
            "并户",
            "已故",
            "停用",
            "作废",
            "结束",
            "被替代",
            "过期",
            "取消",
            "下架",
        ),
    ),
    ("wait", ("wait", "等待", "征求", "草稿", "预留", "公示中", "等", "外出", "已收到", "处理中")),
    ("ok", ("ok", "success", "已", "通过", "在村", "施行", "生效", "成立", "正常", "有效")),
)
TONE_ICONS = {
    "bad": "circle-x", "due": "alert-triangle", "off": "circle-minus", "wait": "clock", "ok": "circle-check",
    "info": "info-circle",
}  # fmt: skip


@register.filter
def points(value: int | None) -> str:
    """Hundredths → "2.5"; None → "—"."""
    return "—" if value is None else format_points(value)


@register.filter
def signed(value: int | None) -> str:
    """Hundredths → "+2.5" or "-1"; None → "—"."""
    return "—" if value is None else format_signed(value)


@register.filter
def masked(value: str) -> str:
    """A name as it may stand on a public page."""
    return mask_name(value)


@register.filter
def day(value: date | datetime | None) -> str:
    """2026年3月5日, or "—"."""
    value = _local(value)
    return "—" if value is None else f"{value.year}年{value.month}月{value.day}日"


@register.filter
def short_day(value: date | datetime | None) -> str:
    """3月5日, or "—"."""
    value = _local(value)
    return "—" if value is None else f"{value.month}月{value.day}日"


def _local(value: date | datetime | None) -> date | datetime | None:
    if isinstance(value, datetime) and timezone.is_aware(value):
        return timezone.localtime(value)
    return value


@lru_cache(maxsize=256)
def _icon(name: str) -> SafeString:
    file = ICONS / f"{name}.svg"
    if not file.exists():
        return SafeString("")
    text = file.read_text(encoding="utf-8")
    inner = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    inner = " ".join(inner.split())
    filled = ' class="icon icon--filled"' if name.endswith("-filled") else ' class="icon"'
    # Files of a locked package, not of a person.
    return mark_safe(  # noqa: S308
        f'<svg{filled} viewBox="0 0 24 24" aria-hidden="true" focusable="false">{inner}</svg>'
    )


@register.simple_tag
def icon(name: str) -> SafeString:
    """An inline symbol of @tabler/icons (the list is in tools/bootstrap.py). Decoration: a word stands beside it."""
    return _icon(name)


@register.simple_tag(takes_context=True)
def repeat(context: template.Context, name: str) -> str:
    """The content of a block once more: the page's title is also its heading."""
    blocks = context.render_context.get(BLOCK_CONTEXT_KEY)
    found = blocks.get_block(name) if blocks is not None else None
    return SafeString(found.nodelist.render(context)) if found is not None else ""


@register.filter
def tone(text: object) -> str:
    """The tone of a state by its word: ok, wait, due, bad, off or info."""
    word = str(text)
    for name, words in TONES:
        if any(part in word for part in words):
            return name
    return "info"


@register.filter
def tone_icon(text: object) -> str:
    """The symbol of a state."""
    return TONE_ICONS[tone(text)]


@register.filter
def input_kind(field: BoundField) -> str:
    """How web/field.html lays a field out: choices (a set), checkbox (one tick), or plain."""
    widget = field.field.widget
    if isinstance(widget, (forms.RadioSelect, forms.CheckboxSelectMultiple)):
        return "choices"
    return "checkbox" if isinstance(widget, forms.CheckboxInput) else "plain"


@register.simple_tag
def control(field: BoundField) -> SafeString:
    """The widget of a field with its class, and tied to its hint and its errors for who listens to the page."""
    widget = field.field.widget
    if input_kind(field) == "choices":
        return _choice_set(field)
    attrs: dict[str, str | bool] = {"class": _control_class(widget)}
    told = [f"{field.auto_id}_hint"] if field.help_text else []
    if field.errors:
        attrs["aria-invalid"] = "true"
        told.insert(0, f"{field.auto_id}_error")
    if told:
        attrs["aria-describedby"] = " ".join(told)
    kept = widget.attrs.get("class")
    if kept:
        attrs["class"] = f"{attrs['class']} {kept}"
    return field.as_widget(attrs=attrs)


def _control_class(widget: forms.Widget) -> str:
    if isinstance(widget, forms.Select):
        return "control form-select"
    if isinstance(widget, forms.CheckboxInput):
        return "control-tick"
    if isinstance(widget, forms.Textarea):
        return "control control--long form-control"
    return "control form-control"


def _choice_set(field: BoundField) -> SafeString:
    rows = ((option.tag(), option.choice_label) for option in field.subwidgets)
    labels = format_html_join("", '<label class="choice">{}<span>{}</span></label>', rows)
    return format_html('<div class="choices">{}</div>', labels)
