from django.db import migrations

from zhili.common.rowsecurity import row_security


class Migration(migrations.Migration):
    dependencies = [("rulebook", "0001_initial"), ("common", "0002_functions")]
    operations = [
        row_security("rulebook_rulebook"),
        row_security("rulebook_item"),
        # One book in force per village and day: in the database, not only in code.
        migrations.RunSQL(
            """
            ALTER TABLE rulebook_rulebook ADD CONSTRAINT rulebook_one_in_force
            EXCLUDE USING gist (
              int8range(place::bigint, place::bigint, '[]') WITH &&,
              daterange(valid_from, valid_to, '[)') WITH &&
            ) WHERE (status IN ('in_force', 'superseded'));
            """,
            "ALTER TABLE rulebook_rulebook DROP CONSTRAINT rulebook_one_in_force;",
        ),
    ]
