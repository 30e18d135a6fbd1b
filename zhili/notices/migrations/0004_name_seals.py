"""A name stands in a notice's digest as a salted seal, so that it can be forgotten and the digest still fits (T-07)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notices", "0003_points_month")]
    operations = [
        migrations.AddField(
            "line", "name_salt", models.CharField("封签的盐", max_length=32, blank=True, default="", db_default="")
        ),
        migrations.AddField(
            "line", "name_seal", models.CharField("姓名的封签", max_length=64, blank=True, default="", db_default="")
        ),
    ]
