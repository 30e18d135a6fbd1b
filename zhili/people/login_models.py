"""What log-in keeps: who is logged in where, codes sent to a phone, WeChat and DingTalk identities that wait or clash.

The bound identities themselves are allauth's SocialAccount; their uid is "<app id>:<openid>", so two apps' numbers
never meet (N-01).
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from zhili.common.clock import now
from zhili.common.ids import uuid7


class LoginSession(models.Model):
    """One log-in on one device, which its person can see and end (N-06). Ending it deletes Django's session row."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="login_sessions")
    session_key = models.CharField("会话", max_length=40, unique=True)
    started_at = models.DateTimeField("登录时间", default=now)
    seen_at = models.DateTimeField("最近使用", default=now)
    source = models.CharField("来处", max_length=45, blank=True)
    device = models.CharField("设备", max_length=40, blank=True)
    way = models.CharField("登录方式", max_length=20, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "登录状态"
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return f"{self.device} {self.started_at:%F %R}"


class PhoneCode(models.Model):
    """A code sent to a phone: used once, ten minutes, five tries. A row is made for unknown numbers too (N-08)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    digest = models.CharField("验证码指纹", max_length=64)
    phone_index = models.BinaryField("电话索引")
    made_at = models.DateTimeField("发出时间", default=now)
    expires_at = models.DateTimeField("失效时间")
    tries = models.PositiveSmallIntegerField("试过几次", default=0)
    used_at = models.DateTimeField("用掉时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "短信验证码"
        indexes = [models.Index(fields=["made_at"], name="phone_code_made")]

    def __str__(self) -> str:
        return str(self.id)


class IdentityClaim(models.Model):
    """A WeChat or DingTalk identity nobody is bound to yet: it waits half an hour for a clerk who types its code."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField("平台", max_length=20)
    uid = models.CharField("平台编号", max_length=191)
    digest = models.CharField("绑定码指纹", max_length=64, unique=True)
    made_at = models.DateTimeField("时间", default=now)
    expires_at = models.DateTimeField("失效时间")
    used_at = models.DateTimeField("用掉时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "待绑定身份"
        indexes = [models.Index(fields=["made_at"], name="identity_claim_made")]

    def __str__(self) -> str:
        return f"{self.provider} {self.id}"


class IdentityDispute(models.Model):
    """A second WeChat claims a person who has one already: the clerk decides with the person before them (N-01)."""

    class State(models.TextChoices):
        OPEN = "open", "待核对"
        KEPT = "kept", "保留原来的"
        CHANGED = "changed", "换成新的"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    resident = models.ForeignKey("people.Resident", models.CASCADE, related_name="identity_disputes")
    provider = models.CharField("平台", max_length=20)
    uid = models.CharField("平台编号", max_length=191)
    basis = models.CharField("凭什么申请", max_length=20)
    made_at = models.DateTimeField("时间", default=now)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.OPEN)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField("处理时间", null=True, blank=True)
    reason = models.CharField("处理说明", max_length=200, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "身份争议"
        ordering = ["-made_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["resident", "provider", "uid"], condition=models.Q(state="open"),
                name="identity_dispute_once",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.provider} {self.get_state_display()}"
