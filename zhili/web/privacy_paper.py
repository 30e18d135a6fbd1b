"""Paper about personal data: the notice in large type, the request form with its slip, the copy, the register for a
supervisor, the assessment, the yearly audit of children's data, the texts of an incident (P-02, P-06, P-07, P-09, P-12)."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.periods import SHANGHAI, today
from zhili.common.policy import may, open_to_all, reauthenticated, requires, signed_in
from zhili.notices.queries import chinese_day
from zhili.people.access import person_of
from zhili.people.consent_purposes import purpose
from zhili.people.consents import counted
from zhili.people.models import Resident, User
from zhili.places.queries import get_place, village_settings
from zhili.privacy import actions, breach, mydata
from zhili.privacy.access import access_assessment, access_incident
from zhili.privacy.desk import at, copy_for
from zhili.privacy.golive import QUESTIONS, checklist
from zhili.privacy.minors import WORDS
from zhili.privacy.models import MinorReport, Request
from zhili.privacy.notice import notice_of
from zhili.privacy.phone import person_at
from zhili.privacy.queries import find_request, overview, register_rows, requests_of
from zhili.privacy.register import SUBJECTS, register
from zhili.privacy.requests import ANSWER_WORKDAYS, APPEAL
from zhili.web.notice_paper import answer
from zhili.web.print import PrintError, Slip, slip_pdf
from zhili.web.print.documents import (
    Block,
    DataRequestForm,
    Document,
    data_request_pdf,
    document_pdf,
    heading,
    points,
    sign,
    table,
    text,
)

PEOPLE_PRINTED = 2_000
COPY_ROWS_PRINTED = 1_000


def _printed(document: Document, name: str) -> HttpResponse:
    try:
        return answer(document_pdf(document), name)
    except PrintError as error:
        raise ZhiliError(str(error)) from error


@open_to_all
def notice(request: HttpRequest, place: str) -> HttpResponse:
    """告知书, 18 pt, to hang up and to hand out."""
    found = notice_of(place)
    blocks: list[Block] = []
    for part in found.parts:
        blocks += [heading(part.title), points(part.lines) if len(part.lines) > 1 else text(part.lines[0])]
    return _printed(
        Document(
            village=found.village, heading="个人信息告知书", subtitle=f"第 {found.version} 版，{found.since}起",
            blocks=blocks, printed_on=today(), size=18, foot=f"{found.village}村民委员会",
            code_url=f"{settings.PUBLIC_URL}{reverse('open_privacy', args=[place])}",
            code_caption="扫码看，可以念", demo=village_settings(place).demo,
        ),
        f"privacy-notice-{place}.pdf",
    )  # fmt: skip


@open_to_all
def form(request: HttpRequest, place: str) -> HttpResponse:
    """The blank request form."""
    own = village_settings(place)
    made = DataRequestForm(
        village=get_place(place).short_name, kinds=[str(one.label) for one in Request.Kind],
        askers=[str(one.label) for one in Request.AskedBy], days=ANSWER_WORKDAYS, appeal=APPEAL, printed_on=today(),
        phone=own.office_phone, page_url=f"{settings.PUBLIC_URL}{reverse('open_privacy_request', args=[place])}",
        demo=own.demo,
    )  # fmt: skip
    try:
        return answer(data_request_pdf(made), f"privacy-request-{place}.pdf")
    except PrintError as error:
        raise ZhiliError(str(error)) from error


@open_to_all
def slip(request: HttpRequest, place: str) -> HttpResponse:
    """The slip of one request, by the code it carries; nothing on it says whose it is."""
    found = find_request(place, request.GET.get("code", "")[:40])
    own = village_settings(place)
    made = Slip(
        village=get_place(place).short_name, title="个人信息申请回执", number=str(found),
        statement=f"已收到，{found.due_on:%-m月%-d日}前答复。",
        rows=[
            ("查询码", found.lookup_code), ("要求", found.get_kind_display()),
            ("收到", chinese_day(found.received_at.astimezone(SHANGHAI).date(), weekday=False)),
            ("答复期限", chinese_day(found.due_on, weekday=False)),
        ],
        printed_on=today(), phone=own.office_phone, demo=own.demo, qr_caption="扫码看答复",
        qr_url=f"{settings.PUBLIC_URL}{reverse('open_privacy_request', args=[place])}?code={found.lookup_code}",
    )  # fmt: skip
    try:
        return answer(slip_pdf(made), f"privacy-slip-{place}-{found.number}.pdf")
    except PrintError as error:
        raise ZhiliError(str(error)) from error


@signed_in
@reauthenticated
def my_copy(request: HttpRequest, resident_id: UUID) -> HttpResponse:
    """The copy on paper, by the person, the guardian, the delegate, the relative."""
    user = person_of(request)
    one, _ = person_at(user, resident_id)
    if one is None:
        raise NotFound("没有这个人。")
    return _copy(user, one)


@requires("privacy.handle")
@reauthenticated
def desk_copy(request: HttpRequest, place: str, request_id: UUID) -> HttpResponse:
    """The copy on paper, to be handed over at the counter."""
    return _copy(person_of(request), copy_for(request, place, request_id))


def _copy(user: User, one: Resident) -> HttpResponse:
    found = actions.hand_out(by=user, resident=one, form="pdf")
    blocks: list[Block] = [
        text("这是系统里记着的关于您的全部信息。哪里不对可以要求改正；里面有完整号码，请保管好。")
    ]
    for part in found.sections:
        if not part.rows:
            continue
        shown = part.rows[:COPY_ROWS_PRINTED]
        blocks.append(heading(f"{part.title}（{part.total} 条）"))
        if len(part.columns) <= 8:
            blocks.append(table(part.columns, shown, size=8.5))
        else:  # a wide table reads better row by row
            for row in shown:
                pairs = [(name, cell) for name, cell in zip(part.columns, row, strict=True) if cell]
                blocks.append(table(["项目", "内容"], pairs, widths=[1, 3], size=9))
        if part.total > len(shown):
            blocks.append(text(f"还有 {part.total - len(shown)} 条，在 Excel 副本里。"))
    blocks.append(heading("没有写进来的和原因"))
    withheld = [[part.title, name, why] for part in found.sections for name, why in part.withheld]
    blocks.append(table(["内容", "哪一列", "为什么"], withheld, widths=[2, 2, 4], size=9))
    place = get_place(one.place)
    return _printed(
        Document(
            village=place.short_name, heading="我的信息", subtitle=found.name, blocks=blocks, printed_on=today(), size=11,
            foot=mydata.watermark(user, one), demo=village_settings(one.place).demo,
        ),
        "my-data.pdf",
    )  # fmt: skip


@requires("privacy.see")
def overview_pdf(request: HttpRequest, place: str) -> HttpResponse:
    """/个人信息 on paper for a supervisor or an assessor (O-07)."""
    user = at(request, place)
    found, counts = overview(place), counted(place)
    blocks: list[Block] = [
        heading("请求和期限"),
        text(
            f"在办 {found.open} 个，逾期 {found.overdue} 个；办好 {found.done} 个，没有同意 {found.refused} 个；"
            f"删除 {found.erasures} 人。"
        ),
    ]  # fmt: skip
    if may(user, "privacy.requests", place):
        rows = [
            [str(row), row.get_kind_display(), row.get_channel_display(), f"{row.received_at.astimezone(SHANGHAI):%Y-%m-%d}",
             f"{row.due_on:%Y-%m-%d}", row.get_status_display()]
            for row in requests_of(place).order_by("-received_at")[:200]
        ]  # fmt: skip
        blocks.append(table(["编号", "要求", "渠道", "收到", "期限", "状态"], rows))
    asked = [
        [purpose(code).title, str(n["yes"]), str(n["no"]), str(n["withdrawn"])] for code, n in counts.items()
    ]
    blocks += [
        heading("同意和不同意"),
        table(["用途", "同意", "不同意", "撤回过"], asked, widths=[4, 1, 1, 1]),
    ]
    blocks.append(heading("对外提供"))
    given = [
        [one.name, one.purpose, one.data_kinds, one.contract, f"{one.starts_on}—{one.ends_on}"]
        for one in found.recipients
    ]
    blocks.append(
        table(["接收方", "目的", "信息种类", "合同", "期限"], given) if given else text("没有提供给任何人。")
    )
    checks = [[one.title, "有" if one.ok else "还没有"] for one in checklist(place)]
    blocks += [heading("影响评估"), table(["事项", "现在"], checks, widths=[4, 1])]
    audit = found.last_audit
    blocks += [
        heading("未成年人信息年度审计"),
        text(f"最近一次：{audit.year} 年。{audit.findings}" if audit else "还没有做过。"),
    ]
    blocks.append(heading("登记表"))
    lines = [[r.title, r.level, r.purpose, r.basis, r.keep, r.viewers, r.columns] for r in register_rows()]
    blocks.append(
        table(["信息", "级别", "做什么用", "依据", "留多久", "谁看得到", "在哪里"], lines,
              widths=[2, 1, 2.4, 3, 1.6, 2.4, 6], size=7.5)
    )  # fmt: skip
    blocks.append(
        table(
            ["不在表里的", "在哪里"],
            [[s["title"], s["where"]] for s in register().stores],
            widths=[1, 3],
            size=8,
        )
    )
    return _printed(
        Document(
            village=get_place(place).name, heading="个人信息", subtitle=f"登记表第 {register().version} 版", blocks=blocks,
            printed_on=today(), size=10.5, landscape=True, foot=f"{user} 打印", demo=_demo(place),
        ),
        f"privacy-{place}.pdf",
    )  # fmt: skip


def _demo(place: str) -> bool:
    return village_settings(place).demo or settings.MODE == "demo"


@requires("privacy.see")
def assessment_pdf(request: HttpRequest, place: str, assessment_id: UUID) -> HttpResponse:
    """An assessment on paper, to be signed and kept."""
    found = access_assessment(at(request, place), assessment_id)
    blocks: list[Block] = []
    for code in found.covers:
        part = found.answers["subjects"][code]
        blocks += [heading(SUBJECTS[code]), text(f"风险：{part['level']}")]
        blocks.append(
            table(["问题", "回答"], [[QUESTIONS[name], part[name]] for name in QUESTIONS], widths=[1, 2])
        )
    blocks += [heading("结论"), text(found.answers["conclusion"]), sign("编写", "批准", "日期")]
    return _printed(
        Document(
            village=get_place(found.place).name, heading=found.title, subtitle=found.get_status_display(), blocks=blocks,
            printed_on=today(), foot=f"登记表指纹 {found.register_digest[:12]}，至少保存三年", demo=_demo(place),
        ),
        "assessment.pdf",
    )  # fmt: skip


@requires("privacy.see")
def minors_pdf(request: HttpRequest, place: str, report_id: UUID) -> HttpResponse:
    """The yearly audit of children's data, for the township."""
    at(request, place)
    found = MinorReport.objects.filter(pk=report_id, place=place).first()
    if found is None:
        raise NotFound("没有这份审计。")
    rows = [[WORDS[name], str(found.figures.get(name, ""))] for name in WORDS]
    blocks = [
        heading(f"{found.year} 年的数"), table(["事项", "数"], rows, widths=[4, 1]), heading("发现的问题和整改"),
        text(found.findings), sign("审计人", "负责人", "日期"),
    ]  # fmt: skip
    return _printed(
        Document(
            village=get_place(place).name, heading="未成年人个人信息保护年度审计报告",
            subtitle="依据《未成年人网络保护条例》第三十七条", blocks=blocks, printed_on=today(), size=14, demo=_demo(place),
        ),
        f"minors-{place}-{found.year}.pdf",
    )  # fmt: skip


@requires("privacy.breach")
def pack_pdf(request: HttpRequest, place: str, incident_id: UUID) -> HttpResponse:
    """The texts of an incident, each on its way to be sent, and the list where it fits on paper."""
    user = at(request, place, "privacy.breach")
    found = access_incident(user, incident_id)
    actions.record_pack(by=user, incident=found, form="pdf")
    pack = breach.pack(found)
    blocks: list[Block] = []
    for title, lines in (
        ("给主管部门的报告", pack.to_authority),
        ("给个人的通知", pack.to_people),
        ("给未成年人监护人的通知", pack.to_guardians),
    ):
        blocks += [heading(title), *(text(line) for line in lines)]
    blocks.append(heading(f"涉及的人（{len(pack.people)} 人）"))
    if len(pack.people) > PEOPLE_PRINTED:
        blocks.append(text(f"人数超过 {PEOPLE_PRINTED}，名单在 Excel 里。"))
    else:
        rows = [
            [one.village, one.group, one.code, one.name, "是" if one.minor else "", one.guardians, one.how]
            for one in pack.people
        ]
        columns = ["村", "组", "户编号", "姓名", "未满14岁", "监护人", "怎么涉及"]
        blocks.append(table(columns, rows, widths=[2, 1, 1.2, 1.4, 1, 2, 3], size=9))
    blocks.append(sign("经办人", "负责人", "日期"))
    return _printed(
        Document(
            village=get_place(found.place).name, heading="个人信息泄露事件", blocks=blocks, printed_on=today(),
            foot=f"{user} 打印，只供处置事件使用", demo=_demo(place),
        ),
        "incident.pdf",
    )  # fmt: skip


open_pages = [
    path("<str:place>/privacy/notice.pdf", notice, name="open_privacy_pdf"),
    path("<str:place>/privacy/form.pdf", form, name="open_privacy_form"),
    path("<str:place>/privacy/slip.pdf", slip, name="open_privacy_slip"),
]
phone_pages = [path("mydata/<uuid:resident_id>/copy.pdf", my_copy, name="m_mydata_pdf")]
desk_pages = [
    path("<str:place>/privacy/overview.pdf", overview_pdf, name="desk_privacy_pdf"),
    path("<str:place>/privacy/requests/<uuid:request_id>/copy.pdf", desk_copy, name="desk_privacy_copy_pdf"),
    path(
        "<str:place>/privacy/assessments/<uuid:assessment_id>/print.pdf",
        assessment_pdf,
        name="desk_privacy_assessment_pdf",
    ),
    path(
        "<str:place>/privacy/minors/<uuid:report_id>/report.pdf", minors_pdf, name="desk_privacy_minors_pdf"
    ),
    path("<str:place>/privacy/incidents/<uuid:incident_id>/pack.pdf", pack_pdf, name="desk_privacy_pack_pdf"),
]
