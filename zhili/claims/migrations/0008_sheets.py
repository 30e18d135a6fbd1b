"""Numbered sheets of paper and what was keyed in from them."""

import django.db.models.deletion
import zhili.common.clock
import zhili.common.ids
from django.conf import settings
from django.db import migrations, models

from zhili.common.rowsecurity import row_security


class Migration(migrations.Migration):

    dependencies = [
        ('claims', '0007_receipt'),
        ('people', '0008_card_print'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Sheet',
            fields=[
                ('id', models.UUIDField(default=zhili.common.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('place', models.CharField(max_length=14, verbose_name='区划')),
                ('number', models.PositiveIntegerField(verbose_name='编号')),
                ('kind', models.CharField(choices=[('household', '一户一表'), ('scoring', '评分表')], max_length=10, verbose_name='表')),
                ('group', models.CharField(blank=True, max_length=20, verbose_name='组')),
                ('period', models.CharField(max_length=12, verbose_name='期间')),
                ('status', models.CharField(choices=[('printed', '等交回'), ('keyed', '等核对'), ('confirmed', '已核对'), ('void', '已作废')], default='printed', max_length=10, verbose_name='状态')),
                ('printed_at', models.DateTimeField(default=zhili.common.clock.now, verbose_name='打印时间')),
                ('keyed_at', models.DateTimeField(blank=True, null=True, verbose_name='录入时间')),
                ('confirmed_at', models.DateTimeField(blank=True, null=True, verbose_name='核对时间')),
                ('problem', models.CharField(blank=True, max_length=200, verbose_name='核对不上')),
                ('confirmed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('household', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='sheets', to='people.household')),
                ('keyed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('printed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': '纸表',
                'verbose_name_plural': '纸表',
                'ordering': ['-number'],
            },
        ),
        migrations.CreateModel(
            name='SheetPhoto',
            fields=[
                ('id', models.UUIDField(default=zhili.common.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('place', models.CharField(max_length=14, verbose_name='区划')),
                ('file_name', models.CharField(blank=True, max_length=80, verbose_name='存放名')),
                ('sha256', models.CharField(blank=True, max_length=64, verbose_name='文件指纹')),
                ('added_at', models.DateTimeField(default=zhili.common.clock.now, verbose_name='时间')),
                ('added_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('sheet', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='photos', to='claims.sheet')),
            ],
            options={
                'verbose_name': '纸表照片',
                'verbose_name_plural': '纸表照片',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='SheetRow',
            fields=[
                ('id', models.UUIDField(default=zhili.common.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('place', models.CharField(max_length=14, verbose_name='区划')),
                ('position', models.PositiveSmallIntegerField(verbose_name='第几行')),
                ('item', models.CharField(max_length=32, verbose_name='行号')),
                ('occurred_on', models.DateField(verbose_name='哪一天')),
                ('amount', models.CharField(blank=True, max_length=20, verbose_name='多少')),
                ('witness', models.CharField(blank=True, max_length=60, verbose_name='证明人')),
                ('document', models.CharField(blank=True, max_length=80, verbose_name='凭据')),
                ('claim', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='sheet_row', to='claims.claim')),
                ('household', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='people.household')),
                ('resident', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='people.resident')),
                ('sheet', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rows', to='claims.sheet')),
            ],
            options={
                'verbose_name': '纸表的行',
                'verbose_name_plural': '纸表的行',
                'ordering': ['position'],
            },
        ),
        migrations.AddIndex(
            model_name='sheet',
            index=models.Index(fields=['place', 'status', '-number'], name='sheet_place_status'),
        ),
        migrations.AddConstraint(
            model_name='sheet',
            constraint=models.UniqueConstraint(fields=('place', 'number'), name='sheet_number_once'),
        ),
        migrations.AddConstraint(
            model_name='sheet',
            constraint=models.CheckConstraint(condition=models.Q(('confirmed_by', None), models.Q(('keyed_by__isnull', False), models.Q(('confirmed_by', models.F('keyed_by')), _negated=True)), _connector='OR'), name='sheet_second_person'),
        ),
        migrations.AddConstraint(
            model_name='sheetrow',
            constraint=models.UniqueConstraint(fields=('sheet', 'position'), name='sheet_row_once'),
        ),
        row_security("claims_sheet"),
        row_security("claims_sheetrow"),
        row_security("claims_sheetphoto"),
    ]
