from django.db import migrations

from zhili.common.rowsecurity import row_security


class Migration(migrations.Migration):
    dependencies = [("notices", "0001_initial"), ("common", "0002_functions")]
    operations = [
        row_security("notices_notice"),
        row_security("notices_line"),
        row_security("notices_objection"),
    ]
