from django.db import migrations

from zhili.common.rowsecurity import append_only, row_security


class Migration(migrations.Migration):
    dependencies = [("claims", "0001_initial"), ("common", "0002_functions")]
    operations = [
        row_security("claims_claim"),
        row_security("claims_evidence"),
        row_security("claims_review"),
        row_security("claims_recusal"),
        append_only("claims_review"),
    ]
