"""A settlement names the shop that was paid by its key: a new title on the door does not make it unpaid."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0005_reconciling")]
    operations = [
        migrations.AddField(
            "fundentry",
            "shop",
            models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="shop.shop",
            ),
        ),
    ]
