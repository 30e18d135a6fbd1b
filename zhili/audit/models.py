"""Who did what, written in the same transaction as the deed, and linked into the village's audit chain at its end."""

from __future__ import annotations

from django.db import models

from zhili.common.clock import now
from zhili.common.ids import uuid7


class Entry(models.Model):
    """One deed. Append-only; holds ids and changed values, never an ID number, phone or bank account.

    seq, previous, digest and algorithm are the row's place in the chain of `place`; the database gives them when the
    transaction ends (sql/01_chain.sql), so they are None on the object `record` returns.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField("时间", default=now)
    utc_offset = models.SmallIntegerField("时差（分钟）", default=480)
    place = models.CharField("区划", max_length=14)
    actor_id = models.BigIntegerField("操作人", null=True)
    role = models.CharField("身份", max_length=20, blank=True)
    on_behalf_of = models.UUIDField("代谁办", null=True)
    action = models.CharField("事项", max_length=60)
    target = models.CharField("对象", max_length=80, blank=True)
    outcome = models.CharField("结果", max_length=10, default="ok")
    source = models.CharField("来处", max_length=45, blank=True, default="")
    receipt = models.CharField("请求编号", max_length=20, blank=True, default="")
    detail = models.JSONField("内容", default=dict)
    seq = models.BigIntegerField("序号", null=True, editable=False)
    previous = models.BinaryField("前一条指纹", null=True)
    digest = models.BinaryField("指纹", null=True)
    algorithm = models.CharField("算法", max_length=10, blank=True, default="")

    class Meta:
        verbose_name = verbose_name_plural = "留痕"
        indexes = [
            models.Index(fields=["place", "-at"], name="audit_place_at"),
            models.Index(fields=["target", "-at"], name="audit_target_at"),
            models.Index(fields=["-at"], name="audit_at"),
            models.Index(fields=["actor_id", "-at"], name="audit_actor_at"),
        ]
        constraints = [models.UniqueConstraint(fields=["place", "seq"], name="audit_place_seq")]

    def __str__(self) -> str:
        return f"{self.at:%F %T} {self.action} {self.target}"


class PublishedHead(models.Model):
    """One fingerprint as it was published on a day: what the open page lists, the mail said and the file holds (T-05).

    place: a village, or for the trail also a township or county. Append-only: a day's fingerprint is said once.
    """

    class Book(models.TextChoices):
        LEDGER = "ledger", "台账"
        AUDIT = "audit", "留痕"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    book = models.CharField("哪一本", max_length=8, choices=Book.choices)
    day = models.DateField("公布日期")
    seq = models.BigIntegerField("第几批（条）")
    head = models.CharField("指纹", max_length=64)
    at = models.DateTimeField("公布时间", default=now)

    class Meta:
        verbose_name = verbose_name_plural = "公布的指纹"
        constraints = [models.UniqueConstraint(fields=["place", "book", "day"], name="published_once_a_day")]

    def __str__(self) -> str:
        return f"{self.place} {self.book} {self.day} {self.seq}"


class Mailbox(models.Model):
    """A mailbox outside this machine that gets the fingerprints of a place every day: the township's, a bank's."""

    place = models.CharField("区划", max_length=14)
    address = models.EmailField("邮箱", max_length=200)
    added_at = models.DateTimeField("登记时间", default=now)

    class Meta:
        verbose_name = verbose_name_plural = "指纹邮箱"
        constraints = [models.UniqueConstraint(fields=["place", "address"], name="mailbox_once")]

    def __str__(self) -> str:
        return f"{self.place} {self.address}"
