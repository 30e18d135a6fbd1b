"""A claim's receipt is the last 60 bits of its id, as of a transfer; this finds it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("claims", "0006_offline_records")]
    operations = [
        migrations.RunSQL(
            "CREATE INDEX claim_receipt ON claims_claim (substr(uuid_send(id), 9))", "DROP INDEX claim_receipt"
        ),
    ]
