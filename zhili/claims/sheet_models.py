"""纸表: a form on paper on its way out and back. One row for every numbered sheet, what was keyed in from it, its photos.

The model in life: the clerk prints one sheet for every household (一户一表) or one for a group and the reviewers
(评分表); it comes back filled in with a pen, one person keys it in by row code, another counts the paper again (U-34).
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from zhili.common.clock import now
from zhili.common.ids import uuid7


class Sheet(models.Model):
    """One numbered sheet. household: of a pre-filled one, or of a blank one once it is keyed in; group: of a scoring
    sheet. problem: what the second person counted differently, until it is keyed in again."""

    class Kind(models.TextChoices):
        HOUSEHOLD = "household", "一户一表"
        SCORING = "scoring", "评分表"

    class Status(models.TextChoices):
        PRINTED = "printed", "等交回"
        KEYED = "keyed", "等核对"
        CONFIRMED = "confirmed", "已核对"
        VOID = "void", "已作废"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    number = models.PositiveIntegerField("编号")
    kind = models.CharField("表", max_length=10, choices=Kind.choices)
    household = models.ForeignKey(
        "people.Household", models.PROTECT, null=True, blank=True, related_name="sheets"
    )
    group = models.CharField("组", max_length=20, blank=True)
    period = models.CharField("期间", max_length=12)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.PRINTED)
    printed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    printed_at = models.DateTimeField("打印时间", default=now)
    keyed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    keyed_at = models.DateTimeField("录入时间", null=True, blank=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    confirmed_at = models.DateTimeField("核对时间", null=True, blank=True)
    problem = models.CharField("核对不上", max_length=200, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "纸表"
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["place", "number"], name="sheet_number_once"),
            models.CheckConstraint(
                condition=Q(confirmed_by=None) | (Q(keyed_by__isnull=False) & ~Q(confirmed_by=F("keyed_by"))),
                name="sheet_second_person",
            ),
        ]
        indexes = [models.Index(fields=["place", "status", "-number"], name="sheet_place_status")]

    def __str__(self) -> str:
        return f"B-{self.number}"


class SheetRow(models.Model):
    """One line of a sheet as it was keyed in; claim: what it became once a second person had counted the paper."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    sheet = models.ForeignKey(Sheet, models.CASCADE, related_name="rows")
    position = models.PositiveSmallIntegerField("第几行")
    household = models.ForeignKey("people.Household", models.PROTECT, related_name="+")
    resident = models.ForeignKey("people.Resident", models.PROTECT, null=True, blank=True, related_name="+")
    item = models.CharField("行号", max_length=32)
    occurred_on = models.DateField("哪一天")
    amount = models.CharField("多少", max_length=20, blank=True)
    witness = models.CharField("证明人", max_length=60, blank=True)
    document = models.CharField("凭据", max_length=80, blank=True)
    claim = models.OneToOneField(
        "claims.Claim", models.PROTECT, null=True, blank=True, related_name="sheet_row"
    )

    class Meta:
        verbose_name = verbose_name_plural = "纸表的行"
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["sheet", "position"], name="sheet_row_once")]

    def __str__(self) -> str:
        return f"{self.position} {self.item}"


class SheetPhoto(models.Model):
    """A photo of the sheet itself, for who counts and for later doubts; shown to those who work with the sheet."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    sheet = models.ForeignKey(Sheet, models.CASCADE, related_name="photos")
    file_name = models.CharField("存放名", max_length=80, blank=True)
    sha256 = models.CharField("文件指纹", max_length=64, blank=True)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    added_at = models.DateTimeField("时间", default=now)

    class Meta:
        verbose_name = verbose_name_plural = "纸表照片"
        ordering = ["id"]

    def __str__(self) -> str:
        return str(self.sheet_id)
