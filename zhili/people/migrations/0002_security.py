from django.db import migrations

from zhili.common.rowsecurity import row_security


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial"), ("common", "0002_functions")]
    operations = [
        row_security("people_household"),
        row_security("people_resident"),
        row_security("people_membership", own="user_id::text = current_setting('zhili.user', true)"),
        row_security("people_delegation", own="delegate_id::text = current_setting('zhili.user', true)"),
        row_security("people_householdchange"),
        row_security("people_importrun"),
    ]
