"""Printed cards."""

import django.db.models.deletion
import zhili.common.clock
import zhili.common.ids
from django.conf import settings
from django.db import migrations, models

from zhili.common.rowsecurity import row_security


class Migration(migrations.Migration):

    dependencies = [
        ('people', '0007_login'),
    ]

    operations = [
        migrations.CreateModel(
            name='CardPrint',
            fields=[
                ('id', models.UUIDField(default=zhili.common.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('place', models.CharField(max_length=14, verbose_name='区划')),
                ('version', models.PositiveSmallIntegerField(verbose_name='第几张卡')),
                ('digest', models.CharField(max_length=64, verbose_name='卡号指纹')),
                ('printed_at', models.DateTimeField(default=zhili.common.clock.now, verbose_name='打印时间')),
                ('household', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cards', to='people.household')),
                ('printed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': '打印的积分卡',
                'verbose_name_plural': '打印的积分卡',
                'ordering': ['-printed_at', '-id'],
                'indexes': [models.Index(fields=['digest'], name='card_digest'), models.Index(fields=['place', '-printed_at'], name='card_place_printed')],
                'constraints': [models.UniqueConstraint(fields=('household', 'version'), name='card_version_once')],
            },
        ),
        row_security("people_cardprint"),
    ]
