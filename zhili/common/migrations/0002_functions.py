from django.db import migrations

from zhili.common.rowsecurity import APPEND_ONLY_FUNCTION, SCOPE_FUNCTION


class Migration(migrations.Migration):
    dependencies = [("common", "0001_initial")]
    operations = [
        migrations.RunSQL(SCOPE_FUNCTION, "DROP FUNCTION zhili_scope();"),
        migrations.RunSQL(APPEND_ONLY_FUNCTION, "DROP FUNCTION zhili_append_only();"),
    ]
