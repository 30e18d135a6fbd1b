"""A review is never changed and never deleted; only the words of its reason may be forgotten, when the person they
are about is removed (T-07). Anything else about the row, and any other words, are refused as before."""

from django.db import migrations

FORGET = """
CREATE FUNCTION privacy_forget_reason() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF to_jsonb(NEW) - 'reason' <> to_jsonb(OLD) - 'reason' OR NEW.reason <> '已删除' THEN
    RAISE EXCEPTION '% 只能追加，不能修改或删除', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER append_only ON claims_review;
CREATE TRIGGER append_only BEFORE DELETE ON claims_review FOR EACH ROW EXECUTE FUNCTION zhili_append_only();
CREATE TRIGGER forget_reason BEFORE UPDATE ON claims_review FOR EACH ROW EXECUTE FUNCTION privacy_forget_reason();
"""
BACK = """
DROP TRIGGER forget_reason ON claims_review;
DROP TRIGGER append_only ON claims_review;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON claims_review FOR EACH ROW EXECUTE FUNCTION zhili_append_only();
DROP FUNCTION privacy_forget_reason();
"""


class Migration(migrations.Migration):
    dependencies = [("privacy", "0002_security"), ("claims", "0005_waiting")]
    operations = [migrations.RunSQL(FORGET, BACK)]
