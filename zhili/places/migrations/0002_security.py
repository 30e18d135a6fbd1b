from django.db import migrations

from zhili.common.rowsecurity import row_security


class Migration(migrations.Migration):
    dependencies = [("places", "0001_initial"), ("common", "0002_functions")]
    operations = [
        row_security("places_villagesettings"),
    ]
