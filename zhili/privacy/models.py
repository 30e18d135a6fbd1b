"""What a village must be able to show about the personal data it keeps: who asked for what and was answered when
(个人信息保护法 44–50), what was erased, who got data by which contract (21, 23), the assessment made before (55, 56),
the yearly audit of children's data (未成年人网络保护条例 37), incidents (57).

Rows name people by key only. The register itself (which field is kept why and how long) is data/register.yaml.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from zhili.common.clock import now
from zhili.common.ids import uuid7
from zhili.common.periods import today
from zhili.people.models import Resident, User


class Request(models.Model):
    """One request of a person about their own data; by phone, at the desk or on paper, which counts the same."""

    class Kind(models.TextChoices):
        COPY = "copy", "要一份副本"
        CORRECT = "correct", "改错"
        COMPLETE = "complete", "补充"
        DELETE = "delete", "删除"
        EXPLAIN = "explain", "问清楚"
        WITHDRAW = "withdraw", "撤回同意"

    class Channel(models.TextChoices):
        PHONE = "phone", "手机"
        DESK = "desk", "当面"
        PAPER = "paper", "纸质"

    class AskedBy(models.TextChoices):
        PERSON = "person", "本人"
        GUARDIAN = "guardian", "监护人"
        DELEGATE = "delegate", "代办人"
        RELATIVE = "relative", "已故者近亲属"

    class Status(models.TextChoices):
        RECEIVED = "received", "已收到"
        SECOND = "second", "等另一人批准"
        DONE = "done", "已办好"
        REFUSED = "refused", "没有同意"
        CANCELLED = "cancelled", "本人不办了"

    OPEN = (Status.RECEIVED, Status.SECOND)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    number = models.PositiveIntegerField("编号")
    kind = models.CharField("要求", max_length=10, choices=Kind.choices)
    resident = models.ForeignKey(Resident, models.PROTECT, related_name="data_requests")
    asked_by = models.CharField("谁提的", max_length=10, choices=AskedBy.choices, default=AskedBy.PERSON)
    # Who asked for somebody else: a person of the register, or in words a relative who lives elsewhere.
    asker = models.ForeignKey(Resident, models.PROTECT, null=True, blank=True, related_name="+")
    asker_name = models.CharField("代提人", max_length=60, blank=True)
    relation = models.CharField("与本人关系", max_length=30, blank=True)
    text = models.CharField("说明", max_length=500, blank=True)
    channel = models.CharField("渠道", max_length=10, choices=Channel.choices)
    paper_number = models.CharField("纸质编号", max_length=30, blank=True)
    entered_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    received_at = models.DateTimeField("收到时间", default=now)
    due_on = models.DateField("办理期限")
    # Once, for a reason the person is told (GB/T 35273-2020 8.7).
    longer_because = models.CharField("延期原因", max_length=200, blank=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.RECEIVED)
    answer = models.CharField("答复", max_length=500, blank=True)
    handled_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    handled_at = models.DateTimeField("办理时间", null=True, blank=True)
    approved_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    approved_at = models.DateTimeField("批准时间", null=True, blank=True)
    # The slip's code: whoever holds the slip may read the state without a log-in.
    lookup_code = models.CharField("查询码", max_length=16, unique=True)

    class Meta:
        verbose_name = verbose_name_plural = "个人信息请求"
        ordering = ["place", "-number"]
        indexes = [models.Index(fields=["place", "status", "due_on"], name="privacy_request_due")]
        constraints = [
            models.UniqueConstraint(fields=["place", "number"], name="privacy_request_number"),
            models.CheckConstraint(
                condition=~Q(status="refused") | ~Q(answer=""), name="privacy_refusal_says_why"
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("handled_by")),
                name="privacy_request_two_hands",
            ),
            models.CheckConstraint(
                condition=~Q(kind="delete", status="done") | Q(approved_by__isnull=False),
                name="privacy_erasure_approved",
            ),
            models.CheckConstraint(
                condition=~Q(channel="paper") | ~Q(paper_number=""), name="privacy_paper_has_number"
            ),
        ]

    def __str__(self) -> str:
        return f"G-{self.number}"

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN


class Erasure(models.Model):
    """One person was removed: by a request and two hands, or by the retention rule. Numbers only, no name."""

    class Basis(models.TextChoices):
        REQUEST = "request", "本人或近亲属要求"
        RETENTION = "retention", "保存期满"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    resident = models.ForeignKey(Resident, models.PROTECT, related_name="erasures")
    request = models.ForeignKey(Request, models.PROTECT, null=True, blank=True, related_name="erasures")
    basis = models.CharField("依据", max_length=10, choices=Basis.choices)
    by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    approved_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField("时间", default=now)
    counts = models.JSONField("清除了多少处", default=dict)
    # Mentions in free text that may mean somebody else of the same name: a person looks at them.
    to_check = models.JSONField("需要人工看的", default=list)

    class Meta:
        verbose_name = verbose_name_plural = "删除记录"
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.get_basis_display()} {self.at:%F}"


class RetentionRun(models.Model):
    """What one rule removed in one run; kept up to date batch by batch, so a run cut short says how far it came."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    rule = models.CharField("规则", max_length=30)
    before = models.DateField("早于")
    count = models.PositiveIntegerField("处理数", default=0)
    by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    started_at = models.DateTimeField("开始时间", default=now)
    finished_at = models.DateTimeField("结束时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "到期清理"
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return f"{self.rule} {self.count}"


class Recipient(models.Model):
    """Who may get personal data, for what, under which contract: a processor (21) or another handler (23)."""

    class Kind(models.TextChoices):
        PROCESSOR = "processor", "受委托处理"
        HANDLER = "handler", "另一处理者"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    name = models.CharField("接收方", max_length=80)
    kind = models.CharField("身份", max_length=10, choices=Kind.choices)
    contact = models.CharField("联系方式", max_length=80)
    purpose = models.CharField("目的", max_length=200)
    data_kinds = models.CharField("信息种类", max_length=200)
    method = models.CharField("方式", max_length=100)
    contract = models.CharField("合同或协议", max_length=100)
    basis = models.CharField("依据", max_length=200)
    starts_on = models.DateField("从", default=today)
    ends_on = models.DateField("到")
    # No onward delegation without the village's agreement (21); the contract must say so.
    no_onward = models.BooleanField("合同写明不得转委托")
    added_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    added_at = models.DateTimeField("登记时间", default=now)
    ended_at = models.DateTimeField("停止时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "对外提供登记"
        ordering = ["-starts_on", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on__gte=F("starts_on")), name="privacy_recipient_dates_in_order"
            ),
            models.CheckConstraint(
                condition=Q(kind="handler") | Q(no_onward=True), name="privacy_processor_no_onward"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def runs(self, day: object) -> bool:
        """Whether data may go there on that day."""
        return self.ended_at is None and self.starts_on <= day <= self.ends_on  # type: ignore[operator]


class Sharing(models.Model):
    """One time data went out: to whom, which kinds, of how many people. Kept three years at least (条例 12)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    recipient = models.ForeignKey(Recipient, models.PROTECT, related_name="sharings")
    resident = models.ForeignKey(Resident, models.PROTECT, null=True, blank=True, related_name="+")
    people = models.PositiveIntegerField("人数", default=1)
    what = models.CharField("内容", max_length=200)
    by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField("时间", default=now)

    class Meta:
        verbose_name = verbose_name_plural = "提供记录"
        ordering = ["-at", "-id"]
        constraints = [models.CheckConstraint(condition=Q(people__gte=1), name="privacy_sharing_somebody")]

    def __str__(self) -> str:
        return f"{self.recipient} {self.people}"


class Assessment(models.Model):
    """个人信息保护影响评估: made before, approved by a second person, kept three years at least (55, 56)."""

    class Status(models.TextChoices):
        DRAFT = "draft", "草稿"
        APPROVED = "approved", "已批准"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    title = models.CharField("名称", max_length=80)
    # Which of register.SUBJECTS it covers: sensitive, publication, sharing, automation.
    covers = models.JSONField("范围", default=list)
    # What the register said when it was made: field classes, counts, digest.
    register = models.JSONField("登记表摘要", default=dict)
    register_digest = models.CharField("登记表指纹", max_length=64)
    answers = models.JSONField("评估内容", default=dict)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.DRAFT)
    made_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    made_at = models.DateTimeField("编写时间", default=now)
    approved_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    # Where the county is being set up nobody has a log-in yet: the names stand on the signed paper.
    signed = models.CharField("签字", max_length=80, blank=True)
    approved_at = models.DateTimeField("批准时间", null=True, blank=True)
    valid_until = models.DateField("有效期到", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "影响评估"
        ordering = ["-made_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("made_by")),
                name="privacy_assessment_two_hands",
            ),
            models.CheckConstraint(
                condition=~Q(status="approved")
                | (
                    Q(approved_at__isnull=False, valid_until__isnull=False)
                    & (Q(approved_by__isnull=False) | ~Q(signed=""))
                ),
                name="privacy_assessment_signed",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class MinorReport(models.Model):
    """The yearly audit of how children's data was handled, and when it was reported (条例 37)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    year = models.PositiveSmallIntegerField("年份")
    figures = models.JSONField("数据", default=dict)
    findings = models.CharField("发现的问题和整改", max_length=500)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField("时间", default=now)
    reported_to = models.CharField("报告给", max_length=60, blank=True)
    reported_on = models.DateField("报告日期", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "未成年人信息年度审计"
        ordering = ["-year"]
        constraints = [models.UniqueConstraint(fields=["place", "year"], name="privacy_minor_report_once")]

    def __str__(self) -> str:
        return f"{self.year}"


class Incident(models.Model):
    """泄露事件: what the affected list was asked by, and what was told to whom. The list itself is not kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    since = models.DateTimeField("从")
    until = models.DateTimeField("到")
    actors = models.JSONField("操作人", default=list)
    kinds = models.JSONField("操作种类", default=list)
    data_kinds = models.CharField("信息种类", max_length=200)
    cause = models.CharField("原因", max_length=500)
    harm = models.CharField("可能的危害", max_length=500)
    remedies = models.CharField("补救措施", max_length=500)
    advice = models.CharField("个人可以怎么做", max_length=500)
    contact = models.CharField("联系方式", max_length=100)
    people = models.PositiveIntegerField("涉及人数", default=0)
    minors = models.PositiveIntegerField("其中未满 14 岁", default=0)
    made_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    made_at = models.DateTimeField("时间", default=now)

    class Meta:
        verbose_name = verbose_name_plural = "泄露事件"
        ordering = ["-made_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(until__gte=F("since")), name="privacy_incident_window_in_order"
            )
        ]

    def __str__(self) -> str:
        return f"{self.made_at:%F}"


class NoticeRead(models.Model):
    """A person with a log-in has seen this version of the notice (17, 14); a changed version asks again."""

    place = models.CharField("区划", max_length=14)
    user = models.ForeignKey(User, models.CASCADE, related_name="notices_read")
    version = models.CharField("告知书版本", max_length=20)
    at = models.DateTimeField("时间", default=now)

    class Meta:
        verbose_name = verbose_name_plural = "已读告知书"
        constraints = [models.UniqueConstraint(fields=["user", "version"], name="privacy_notice_read_once")]

    def __str__(self) -> str:
        return self.version
