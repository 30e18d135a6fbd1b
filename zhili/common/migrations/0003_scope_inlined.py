"""The scope as one expression that PostgreSQL inlines: it stands in every statement (bench/row_security.py)."""

from django.db import migrations

from zhili.common.rowsecurity import SCOPE_FUNCTION


class Migration(migrations.Migration):
    dependencies = [("common", "0002_functions")]
    operations = [migrations.RunSQL(SCOPE_FUNCTION, migrations.RunSQL.noop)]
