"""Second factors and addresses of log-ins stand behind the same wall as the log-in itself (A-03)."""

from django.db import migrations

TABLES = ("mfa_authenticator", "account_emailaddress")


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0005_user_wall"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]
    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
            f"CREATE POLICY scope ON {table} USING (EXISTS (SELECT 1 FROM people_user u WHERE u.id = user_id));",
            f"DROP POLICY scope ON {table}; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;",
        )
        for table in TABLES
    ]
