"""What phones noted without signal."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import zhili.common.clock
from zhili.common.rowsecurity import append_only, row_security


class Migration(migrations.Migration):
    dependencies = [("claims", "0005_waiting"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="OfflineRecord",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("place", models.CharField(max_length=14, verbose_name="区划")),
                ("household", models.CharField(max_length=40, verbose_name="户编号")),
                ("item", models.CharField(max_length=32, verbose_name="项目")),
                ("occurred_on", models.DateField(verbose_name="手机上的日期")),
                ("noted_at", models.DateTimeField(verbose_name="手机记下时间")),
                ("sent_at", models.DateTimeField(verbose_name="手机送出时间")),
                ("received_at", models.DateTimeField(default=zhili.common.clock.now, verbose_name="收到时间")),
                ("skew_seconds", models.BigIntegerField(default=0, verbose_name="手机时间差")),
                ("body_digest", models.CharField(max_length=64, verbose_name="内容指纹")),
                ("refusal", models.CharField(blank=True, max_length=200, verbose_name="未收下的原因")),
                ("by", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("claim", models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="offline", to="claims.claim")),
            ],
            options={
                "verbose_name": "离线记录",
                "verbose_name_plural": "离线记录",
                "indexes": [models.Index(fields=["place", "-received_at"], name="offline_place_received")],
            },
        ),
        row_security("claims_offlinerecord"),
        append_only("claims_offlinerecord"),
    ]
