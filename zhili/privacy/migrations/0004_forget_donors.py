"""Goods and money are booked once and never changed; only the name of a donor who is being removed is taken out of the
words (T-07). The application may not change those rows: the owner's function does, for a person it is given by key."""

from django.db import migrations

# Every sum is over pieces, fen and points; the trigger lets nothing else of a row change with the words.
FORGET = """
CREATE FUNCTION privacy_forget_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF to_jsonb(NEW) - TG_ARGV[0] <> to_jsonb(OLD) - TG_ARGV[0] OR strpos(to_jsonb(NEW) ->> TG_ARGV[0], '已删除') = 0 THEN
    RAISE EXCEPTION '% 只能追加，不能修改或删除', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION privacy_without(p_text text, p_name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN length(replace(p_text, p_name, '已删除')) > 40 THEN '已删除' ELSE replace(p_text, p_name, '已删除') END
$$;
CREATE FUNCTION privacy_forget_donor(p_resident uuid, OUT moves int, OUT entries int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  who people_resident%ROWTYPE;
BEGIN
  moves := 0;
  entries := 0;
  SELECT * INTO who FROM people_resident r WHERE r.id = p_resident;
  IF NOT FOUND OR length(who.name) < 2 OR who.name = '已删除' OR EXISTS (
      SELECT FROM people_resident r WHERE r.place = who.place AND r.name = who.name AND r.id <> who.id) THEN
    RETURN;
  END IF;
  UPDATE shop_stockmove m SET donated_by = privacy_without(m.donated_by, who.name)
   WHERE m.place = who.place AND strpos(m.donated_by, who.name) > 0;
  GET DIAGNOSTICS moves = ROW_COUNT;
  UPDATE shop_fundentry e SET source = privacy_without(e.source, who.name)
   WHERE e.place = who.place AND strpos(e.source, who.name) > 0;
  GET DIAGNOSTICS entries = ROW_COUNT;
END $$;
DROP TRIGGER append_only ON shop_stockmove;
CREATE TRIGGER append_only BEFORE DELETE ON shop_stockmove FOR EACH ROW EXECUTE FUNCTION zhili_append_only();
CREATE TRIGGER forget_donor BEFORE UPDATE ON shop_stockmove
  FOR EACH ROW EXECUTE FUNCTION privacy_forget_words('donated_by');
DROP TRIGGER append_only ON shop_fundentry;
CREATE TRIGGER append_only BEFORE DELETE ON shop_fundentry FOR EACH ROW EXECUTE FUNCTION zhili_append_only();
CREATE TRIGGER forget_donor BEFORE UPDATE ON shop_fundentry
  FOR EACH ROW EXECUTE FUNCTION privacy_forget_words('source');
"""
BACK = """
DROP TRIGGER forget_donor ON shop_fundentry;
DROP TRIGGER append_only ON shop_fundentry;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON shop_fundentry
  FOR EACH ROW EXECUTE FUNCTION zhili_append_only();
DROP TRIGGER forget_donor ON shop_stockmove;
DROP TRIGGER append_only ON shop_stockmove;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON shop_stockmove
  FOR EACH ROW EXECUTE FUNCTION zhili_append_only();
DROP FUNCTION privacy_forget_donor(uuid);
DROP FUNCTION privacy_without(text, text);
DROP FUNCTION privacy_forget_words();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("privacy", "0003_forget_reasons"), ("shop", "0002_security"), ("people", "0001_initial"), ("notices", "0004_name_seals"),
    ]  # fmt: skip
    operations = [migrations.RunSQL(FORGET, BACK)]
