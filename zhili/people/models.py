"""Households and the people in them; who holds which role where and when; who may act for whom."""

from __future__ import annotations

from datetime import date
from functools import cached_property

import rules
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q

from zhili.common import planned
from zhili.common.clock import now
from zhili.common.ids import new_token, uuid7
from zhili.common.periods import today
from zhili.people.card_models import CardPrint as CardPrint
from zhili.people.consent_models import Alarm as Alarm
from zhili.people.consent_models import Consent as Consent
from zhili.people.consent_models import ConsentSheet as ConsentSheet
from zhili.people.consent_models import MinorAccess as MinorAccess
from zhili.people.login_models import IdentityClaim as IdentityClaim
from zhili.people.login_models import IdentityDispute as IdentityDispute
from zhili.people.login_models import LoginSession as LoginSession
from zhili.people.login_models import PhoneCode as PhoneCode


class Household(models.Model):
    """One household account-holder (户). `code` is printed on the card and unique in its village."""

    class Status(models.TextChoices):
        LIVING = "living", "在村"
        AWAY = "away", "外出"
        MERGED = "merged", "已并户"
        MOVED = "moved", "已迁出"
        CLOSED = "closed", "已销户"

    OPEN = (Status.LIVING, Status.AWAY)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("村（社区）代码", max_length=14)
    code = models.CharField("户编号", max_length=20)
    group = models.CharField("组", max_length=20, blank=True)
    address = models.CharField("住址", max_length=60, blank=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.LIVING)
    card_token = models.CharField("卡号码", max_length=32, unique=True, default=new_token)
    card_version = models.PositiveSmallIntegerField("第几张卡", default=1)
    # "不公开户": still earns and redeems, but its lines show only the household number (P-04).
    published = models.BooleanField("同意公开", default=True)
    opened_on = models.DateField("立户日期", default=today)
    closed_on = models.DateField("销户日期", null=True, blank=True)
    successor = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="predecessors")

    class Meta:
        verbose_name = verbose_name_plural = "户"
        ordering = ["place", "code"]
        constraints = [
            models.UniqueConstraint(fields=["place", "code"], name="household_code_unique"),
            models.CheckConstraint(
                condition=Q(closed_on=None) | Q(closed_on__gte=F("opened_on")),
                name="household_dates_in_order",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["living", "away"], closed_on=None)
                | Q(status__in=["merged", "moved", "closed"], closed_on__isnull=False),
                name="household_closed_has_date",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN


class Resident(models.Model):
    """One person (村民). ID number and phone are encrypted; the index columns allow look-up, not reading."""

    class Status(models.TextChoices):
        PRESENT = "present", "在村"
        AWAY = "away", "外出"
        MOVED = "moved", "已迁出"
        DEAD = "dead", "已故"

    class Relation(models.TextChoices):
        HEAD = "head", "户主"
        SPOUSE = "spouse", "配偶"
        SON = "son", "儿子"
        DAUGHTER = "daughter", "女儿"
        CHILD_IN_LAW = "child_in_law", "儿媳或女婿"
        PARENT = "parent", "父母"
        GRANDCHILD = "grandchild", "孙辈"
        SIBLING = "sibling", "兄弟姐妹"
        OTHER = "other", "其他"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("村（社区）代码", max_length=14)
    household = models.ForeignKey(Household, models.PROTECT, related_name="residents")
    name = models.CharField("姓名", max_length=60)
    pinyin = models.CharField("拼音首字母", max_length=40, blank=True)
    birth_date = models.DateField("出生日期", null=True, blank=True)
    relation = models.CharField("与户主关系", max_length=12, choices=Relation.choices, default=Relation.OTHER)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.PRESENT)
    phone_secret = models.TextField("电话（加密）", blank=True)
    phone_index = models.BinaryField("电话索引", null=True, blank=True)
    id_number_secret = models.TextField("身份证号（加密）", blank=True)
    id_number_index = models.BinaryField("身份证号索引", null=True, blank=True)
    bank_secret = models.TextField("银行卡号（加密）", blank=True)
    bank_index = models.BinaryField("银行卡号索引", null=True, blank=True)
    tags = models.JSONField("标签", default=list, blank=True)
    left_on = models.DateField("离开日期", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "村民"
        ordering = ["household", "relation", "id"]
        indexes = [
            models.Index(fields=["place", "name"], name="resident_place_name"),
            models.Index(fields=["place", "pinyin"], name="resident_place_pinyin"),
            models.Index(fields=["phone_index"], name="resident_phone_index"),
            models.Index(fields=["id_number_index"], name="resident_id_number_index"),
        ]
        constraints = [
            models.UniqueConstraint(
                # Who moved away or died keeps the number on record; coming back is a new row.
                fields=["place", "id_number_index"],
                condition=Q(id_number_index__isnull=False, status__in=["present", "away"]),
                name="resident_id_number_once",
            ),
            models.UniqueConstraint(
                fields=["household"],
                condition=Q(relation="head", status__in=["present", "away"]),
                name="household_one_head",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_head(self) -> bool:
        return self.relation == self.Relation.HEAD

    def is_minor(self, on: date | None = None) -> bool:
        """Under 14: never on a public page; points go to the household (P-07)."""
        if self.birth_date is None:
            return False
        day, born = on or today(), self.birth_date
        return day.year - born.year - ((day.month, day.day) < (born.month, born.day)) < 14


class User(AbstractUser):
    """A log-in. A villager's is tied to a resident; staff have memberships."""

    resident = models.ForeignKey(
        Resident, models.SET_NULL, null=True, blank=True, related_name="users", verbose_name="村民"
    )
    # The resident's village, kept here because it decides the scope before any village row can be read.
    home_place = models.CharField("所在村", max_length=14, blank=True)
    display_name = models.CharField("称呼", max_length=60, blank=True)
    elder_mode = models.BooleanField("长辈版", default=False)
    # One-time passwords (N-05): must be changed at the first log-in, and are good until then only.
    must_change_password = models.BooleanField("要先改密码", default=False)
    password_until = models.DateTimeField("一次性密码到期", null=True, blank=True)
    password_changed_at = models.DateTimeField("上次改密码", null=True, blank=True)

    class Meta(AbstractUser.Meta):
        verbose_name = verbose_name_plural = "用户"

    def __str__(self) -> str:
        return self.display_name or self.username

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """The predicates of the rooms' access.py and nothing else: no superuser walks round them (A-07)."""
        return bool(self.is_active and rules.has_perm(perm, self, obj))

    @cached_property
    def memberships_today(self) -> list[Membership]:
        """Roles in force today, read once per request (the user row is loaded per request): A-06."""
        day = today()
        running = (
            "user_id = %s AND valid_from <= %s AND (valid_to IS NULL OR valid_to > %s) ORDER BY place, role"
        )
        held = planned.rows(Membership, running, [self.pk, day, day])
        for one in held:
            one.user = self
        return held

    def has_role(self, *roles: str, place: str | None = None) -> bool:
        """Whether one of `roles` is held today at `place` or above it (anywhere, if `place` is None)."""
        return any(
            m.role in roles and (place is None or place.startswith(m.place)) for m in self.memberships_today
        )


class Membership(models.Model):
    """A role at a place from a date to a date. Ending one is setting `valid_to`; nothing is deleted."""

    class Role(models.TextChoices):
        GROUP_LEADER = "group_leader", "组长"
        CLERK = "clerk", "村文书"
        REVIEWER = "reviewer", "评议员"
        COUNCIL = "council", "议事会成员"
        SUPERVISOR = "supervisor", "监督委员"
        SHOPKEEPER = "shopkeeper", "超市店员"
        TOWNSHIP = "township", "乡镇干部"
        COUNTY = "county", "区县干部"
        BANK = "bank", "银行伙伴"
        SYSTEM_ADMIN = "system_admin", "系统管理员"
        SECURITY_ADMIN = "security_admin", "安全管理员"
        AUDIT_ADMIN = "audit_admin", "审计管理员"

    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    role = models.CharField("身份", max_length=16, choices=Role.choices)
    place = models.CharField("区划", max_length=14)
    group = models.CharField("组", max_length=20, blank=True)
    valid_from = models.DateField("从", default=today)
    valid_to = models.DateField("到", null=True, blank=True)
    granted_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="granted")

    class Meta:
        verbose_name = verbose_name_plural = "身份"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "role", "place"], condition=Q(valid_to=None), name="membership_once"
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")),
                name="membership_dates_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()} {self.place}"


class Delegation(models.Model):
    """代办: `delegate` may act for `principal` in `scope` until `valid_to`; revocable (A-09)."""

    class Scope(models.TextChoices):
        CLAIM = "claim", "申报"
        OBJECT = "object", "提异议"
        REDEEM = "redeem", "兑换"
        ALL = "all", "全部"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    principal = models.ForeignKey(Resident, models.PROTECT, related_name="delegations")
    delegate = models.ForeignKey(User, models.PROTECT, related_name="delegations")
    scope = models.CharField("代办事项", max_length=10, choices=Scope.choices, default=Scope.ALL)
    valid_from = models.DateField("从", default=today)
    valid_to = models.DateField("到")
    revoked_on = models.DateField("撤销日期", null=True, blank=True)
    paper_number = models.CharField("纸质委托书编号", max_length=30, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "代办"
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__gte=F("valid_from")), name="delegation_dates_in_order"
            )
        ]

    def __str__(self) -> str:
        return f"{self.delegate} 代 {self.principal}"


class HouseholdChange(models.Model):
    """One named change of a household: split, merge, move, return, death, close, new head (L-12)."""

    class Kind(models.TextChoices):
        SPLIT = "split", "分户"
        MERGE = "merge", "并户"
        MOVE_AWAY = "move_away", "迁出"
        AWAY = "away", "外出"
        RETURN = "return", "返乡"
        DEATH = "death", "去世"
        CLOSE = "close", "销户"
        NEW_HEAD = "new_head", "更换户主"
        EDIT = "edit", "信息变更"
        OPEN = "open", "立户"
        CARD = "card", "换卡"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    household = models.ForeignKey(Household, models.PROTECT, related_name="changes")
    other = models.ForeignKey(Household, models.PROTECT, null=True, blank=True, related_name="+")
    kind = models.CharField("变更", max_length=10, choices=Kind.choices)
    on = models.DateField("日期")
    basis = models.CharField("依据", max_length=200)
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    detail = models.JSONField("内容", default=dict)

    class Meta:
        verbose_name = verbose_name_plural = "户变更"
        ordering = ["on", "id"]

    def __str__(self) -> str:
        return f"{self.household} {self.get_kind_display()}"


class ImportRun(models.Model):
    """One applied Excel import, kept so that the same file or the same rows are recognised (C-09)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    kind = models.CharField("内容", max_length=20)
    sha256 = models.CharField("文件指纹", max_length=64)
    rows_digest = models.CharField("内容指纹", max_length=64)
    filename = models.CharField("文件名", max_length=120)
    # Empty: by the administrator at the machine's command line.
    by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField("时间", default=now)
    summary = models.JSONField("结果", default=dict)

    class Meta:
        verbose_name = verbose_name_plural = "导入记录"
        constraints = [
            models.UniqueConstraint(fields=["place", "kind", "rows_digest"], name="import_once"),
        ]

    def __str__(self) -> str:
        return self.filename


class ImportFile(models.Model):
    """An uploaded table between dry run and application, sealed; dropped when applied or after a day."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    kind = models.CharField("内容", max_length=20)
    by = models.ForeignKey(User, models.CASCADE, related_name="+")
    at = models.DateTimeField("时间", default=now)
    filename = models.CharField("文件名", max_length=120)
    sealed = models.TextField("内容（加密）")

    class Meta:
        verbose_name = verbose_name_plural = "待导入文件"

    def __str__(self) -> str:
        return self.filename


class ApiToken(models.Model):
    """A machine's key to /api/v1/. Only its digest is stored; it can do what its user can, nothing more."""

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    digest = models.CharField("指纹", max_length=64, unique=True)
    title = models.CharField("用途", max_length=60)
    created_at = models.DateTimeField("建立时间", auto_now_add=True)
    expires_on = models.DateField("到期")
    revoked_at = models.DateTimeField("停用时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "接口密钥"

    def __str__(self) -> str:
        return self.title
