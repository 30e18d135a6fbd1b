"""授权: what a person allows to be done with their data, by purpose, each answered and withdrawn on its own
(个人信息保护法 14–16, 23, 25, 29, 31). An alarm, and the approval to look at a child's details, stand here too.

Paper counts as much as the phone: the row names the paper's number, and the photographed sheet is sealed.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from zhili.common.clock import now
from zhili.common.ids import uuid7


class ConsentSheet(models.Model):
    """The photographed paper of one answer or withdrawal: a cleaned JPEG, sealed with the county's key."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    resident = models.ForeignKey("people.Resident", models.PROTECT, related_name="consent_sheets")
    paper_number = models.CharField("纸质编号", max_length=30)
    sha256 = models.CharField("照片指纹", max_length=64)
    sealed = models.TextField("照片（加密）")
    at = models.DateTimeField("时间", default=now)

    class Meta:
        verbose_name = verbose_name_plural = "授权书照片"

    def __str__(self) -> str:
        return self.paper_number


class Consent(models.Model):
    """One answer of one person to one purpose: yes or no, under one version of the notice.

    At most one row of a person and purpose stands; a new answer ends the one before, nothing is deleted.
    """

    class Purpose(models.TextChoices):
        PUBLISH = "publish_household", "公示时写本户名字"
        SMS = "phone_sms", "电话用来收短信"
        ID_NUMBER = "id_number", "登记身份证号"
        BANK = "bank_account", "登记银行卡号"
        CREDIT = "share_credit", "把积分证明给银行或保险"
        PHOTO = "publish_photo", "公开本人出现的照片"
        HEALTH = "health_tag", "登记健康、残疾等情况"
        MINOR = "minor", "登记未满 14 岁孩子的信息"

    class Channel(models.TextChoices):
        PHONE = "phone", "手机"
        DESK = "desk", "当面"
        PAPER = "paper", "纸质"
        SHEET = "excel", "表格导入"

    class GivenBy(models.TextChoices):
        PERSON = "person", "本人"
        GUARDIAN = "guardian", "监护人"
        DELEGATE = "delegate", "代办人"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    resident = models.ForeignKey("people.Resident", models.PROTECT, related_name="consents")
    household = models.ForeignKey("people.Household", models.PROTECT, related_name="consents")
    purpose = models.CharField("用途", max_length=20, choices=Purpose.choices)
    agreed = models.BooleanField("同意")
    notice_version = models.CharField("告知书版本", max_length=20)
    given_at = models.DateTimeField("答复时间", default=now)
    channel = models.CharField("渠道", max_length=10, choices=Channel.choices)
    given_by = models.CharField("谁答复", max_length=10, choices=GivenBy.choices, default=GivenBy.PERSON)
    # Who answered for the person, where it is somebody of the register: the guardian, the delegate.
    giver = models.ForeignKey("people.Resident", models.PROTECT, null=True, blank=True, related_name="+")
    paper_number = models.CharField("纸质编号", max_length=30, blank=True)
    sheet = models.ForeignKey(ConsentSheet, models.PROTECT, null=True, blank=True, related_name="consents")
    recorded_by = models.ForeignKey("people.User", models.PROTECT, null=True, blank=True, related_name="+")
    # Ended by a withdrawal or by a later answer; `withdrawn` tells which.
    ended_at = models.DateTimeField("结束时间", null=True, blank=True)
    withdrawn = models.BooleanField("已撤回", default=False)
    withdrawal_channel = models.CharField("撤回渠道", max_length=10, choices=Channel.choices, blank=True)
    withdrawal_paper = models.CharField("撤回单编号", max_length=30, blank=True)
    withdrawn_by = models.ForeignKey("people.User", models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = verbose_name_plural = "授权"
        ordering = ["-given_at", "-id"]
        indexes = [models.Index(fields=["place", "purpose", "-given_at"], name="consent_place_purpose")]
        constraints = [
            models.UniqueConstraint(
                fields=["resident", "purpose"], condition=Q(ended_at=None), name="consent_one_standing"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("given_at")), name="consent_ends_after_start"
            ),
            models.CheckConstraint(
                condition=Q(withdrawn=False) | Q(ended_at__isnull=False, agreed=True),
                name="consent_withdrawn_was_given",
            ),
            models.CheckConstraint(
                condition=~Q(channel="paper") | ~Q(paper_number=""), name="consent_paper_has_number"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()}：{'同意' if self.agreed else '不同意'}"


class MinorAccess(models.Model):
    """A staff member asks to see one child's details for a reason; somebody else allows it for some days (P-07)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    resident = models.ForeignKey("people.Resident", models.PROTECT, related_name="+")
    by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    reason = models.CharField("理由", max_length=100)
    asked_at = models.DateTimeField("申请时间", default=now)
    decided_by = models.ForeignKey("people.User", models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField("决定时间", null=True, blank=True)
    allowed = models.BooleanField("准许", default=False)
    until = models.DateField("到", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "未成年人信息查看"
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("by")), name="minor_access_two_persons"
            ),
            models.CheckConstraint(
                condition=Q(allowed=False) | Q(decided_by__isnull=False, until__isnull=False),
                name="minor_access_allowed_by_someone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.by} {self.reason}"


class Alarm(models.Model):
    """Something the security administrator must look at: too many numbers unmasked in an hour (A-14)."""

    class Kind(models.TextChoices):
        UNMASK = "unmask", "一小时内查看完整号码过多"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    kind = models.CharField("事项", max_length=20, choices=Kind.choices)
    user = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    at = models.DateTimeField("时间", default=now)
    count = models.PositiveIntegerField("次数")
    seen_by = models.ForeignKey("people.User", models.PROTECT, null=True, blank=True, related_name="+")
    seen_at = models.DateTimeField("处理时间", null=True, blank=True)
    note = models.CharField("处理说明", max_length=200, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "安全告警"
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.count}"
