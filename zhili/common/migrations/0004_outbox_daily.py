import django.db.models
from django.db import migrations, models

import zhili.common.clock
import zhili.common.ids
from zhili.common.rowsecurity import row_security


class Migration(migrations.Migration):
    dependencies = [("common", "0003_scope_inlined")]
    operations = [
        migrations.CreateModel(
            name="Message",
            fields=[
                ("id", models.UUIDField(default=zhili.common.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("place", models.CharField(max_length=14, verbose_name="区划")),
                ("kind", models.CharField(max_length=20, verbose_name="方式")),
                ("to", models.CharField(max_length=200, verbose_name="发给")),
                ("subject", models.CharField(blank=True, max_length=200, verbose_name="标题")),
                ("body", models.TextField(blank=True, verbose_name="正文")),
                ("files", models.JSONField(default=list, verbose_name="附件")),
                ("key", models.CharField(blank=True, max_length=120, null=True, unique=True, verbose_name="去重键")),
                ("created_at", models.DateTimeField(default=zhili.common.clock.now, verbose_name="写下时间")),
                ("due", models.DateTimeField(default=zhili.common.clock.now, verbose_name="应发时间")),
                ("tries", models.PositiveSmallIntegerField(default=0, verbose_name="试过几次")),
                ("state", models.CharField(choices=[("waiting", "待发"), ("sent", "已发出"), ("failed", "没有发出")], default="waiting", max_length=8, verbose_name="状态")),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="发出时间")),
                ("error", models.CharField(blank=True, max_length=120, verbose_name="没有发出的原因")),
            ],
            options={
                "verbose_name": "外发消息",
                "verbose_name_plural": "外发消息",
                "indexes": [
                    models.Index(condition=models.Q(("state", "waiting")), fields=["due"], name="message_waiting"),
                    models.Index(fields=["place", "-created_at"], name="message_place"),
                ],
            },
        ),
        migrations.CreateModel(
            name="DailyRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60, verbose_name="任务")),
                ("day", models.DateField(verbose_name="日期")),
                ("part", models.CharField(blank=True, max_length=14, verbose_name="范围")),
                ("tries", models.PositiveSmallIntegerField(default=0, verbose_name="试过几次")),
                ("next_try_at", models.DateTimeField(blank=True, null=True, verbose_name="下次再试")),
                ("done_at", models.DateTimeField(blank=True, null=True, verbose_name="办完时间")),
                ("seconds", models.FloatField(default=0, verbose_name="用时（秒）")),
                ("error", models.CharField(blank=True, max_length=120, verbose_name="没有办成的原因")),
            ],
            options={
                "verbose_name": "每日任务",
                "verbose_name_plural": "每日任务",
                "constraints": [models.UniqueConstraint(fields=("name", "day", "part"), name="daily_run_once")],
            },
        ),
        row_security("common_message"),
    ]
