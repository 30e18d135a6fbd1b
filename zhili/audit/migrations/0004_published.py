from django.db import migrations, models

import zhili.common.clock
import zhili.common.ids
from zhili.common.rowsecurity import append_only, row_security


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_chain"), ("common", "0003_scope_inlined")]
    operations = [
        migrations.CreateModel(
            name="PublishedHead",
            fields=[
                ("id", models.UUIDField(default=zhili.common.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("place", models.CharField(max_length=14, verbose_name="区划")),
                ("book", models.CharField(choices=[("ledger", "台账"), ("audit", "留痕")], max_length=8, verbose_name="哪一本")),
                ("day", models.DateField(verbose_name="公布日期")),
                ("seq", models.BigIntegerField(verbose_name="第几批（条）")),
                ("head", models.CharField(max_length=64, verbose_name="指纹")),
                ("at", models.DateTimeField(default=zhili.common.clock.now, verbose_name="公布时间")),
            ],
            options={
                "verbose_name": "公布的指纹",
                "verbose_name_plural": "公布的指纹",
                "constraints": [models.UniqueConstraint(fields=("place", "book", "day"), name="published_once_a_day")],
            },
        ),
        migrations.CreateModel(
            name="Mailbox",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("place", models.CharField(max_length=14, verbose_name="区划")),
                ("address", models.EmailField(max_length=200, verbose_name="邮箱")),
                ("added_at", models.DateTimeField(default=zhili.common.clock.now, verbose_name="登记时间")),
            ],
            options={
                "verbose_name": "指纹邮箱",
                "verbose_name_plural": "指纹邮箱",
                "constraints": [models.UniqueConstraint(fields=("place", "address"), name="mailbox_once")],
            },
        ),
        row_security("audit_publishedhead"),
        append_only("audit_publishedhead"),
        row_security("audit_mailbox"),
    ]
