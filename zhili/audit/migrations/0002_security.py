from django.db import migrations

from zhili.common.rowsecurity import append_only, row_security


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial"), ("common", "0002_functions")]
    operations = [
        row_security("audit_entry", own="actor_id::text = current_setting('zhili.user', true)"),
        append_only("audit_entry"),
    ]
