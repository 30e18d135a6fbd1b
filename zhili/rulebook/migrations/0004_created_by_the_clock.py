"""A rule book's day of making comes from the one clock, so that a replayed life ends alike (no change in SQL)."""

from django.db import migrations, models

import zhili.common.clock


class Migration(migrations.Migration):
    dependencies = [("rulebook", "0003_procedure")]

    operations = [
        migrations.AlterField(
            model_name="rulebook",
            name="created_at",
            field=models.DateTimeField(default=zhili.common.clock.now, verbose_name="建立时间"),
        )
    ]
