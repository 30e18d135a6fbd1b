"""Row security, and figures that stay as they were computed: an entry is struck off, never changed or removed."""

from django.db import migrations

from zhili.common.rowsecurity import row_security

TABLES = ("honourscheme", "honourlist", "honourentry", "groupgoal", "priority")
FROZEN = (
    "CREATE TRIGGER frozen BEFORE UPDATE OF list_id, household_id, number, \"group\", household_code, points, stars, rank"
    " OR DELETE ON honours_honourentry FOR EACH ROW EXECUTE FUNCTION zhili_append_only();"
    "CREATE TRIGGER frozen_truncate BEFORE TRUNCATE ON honours_honourentry"
    " FOR EACH STATEMENT EXECUTE FUNCTION zhili_append_only();"
)
THAWED = "DROP TRIGGER frozen ON honours_honourentry; DROP TRIGGER frozen_truncate ON honours_honourentry;"


class Migration(migrations.Migration):
    dependencies = [("honours", "0001_initial"), ("common", "0002_functions")]
    operations = [*[row_security(f"honours_{table}") for table in TABLES], migrations.RunSQL(FROZEN, THAWED)]
