"""A wall for what has no place: log-ins, machine keys, second factors (A-03, docs/security-walls.md).

Before a person is known (log-in, a key's first look-up) the setting zhili.user is empty and log-ins are found by
name. From then on a person sees themselves, people of the villages in scope, and staff, who live in none: their
names stand under reviews and notices. Not forced for the owner: a foreign key and the check of a name go past it.
"""

from django.db import migrations

USER = """
ALTER TABLE people_user ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON people_user USING (
  coalesce(current_setting('zhili.user', true), '') = ''
  OR home_place = ''
  OR id::text = current_setting('zhili.user', true)
  OR home_place LIKE ANY ((SELECT zhili_scope())::text[])
);
ALTER TABLE people_apitoken ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON people_apitoken USING (EXISTS (SELECT 1 FROM people_user u WHERE u.id = user_id));

-- A name is taken in the whole county, also by somebody who may not be seen.
CREATE FUNCTION people_username_taken(wanted text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT EXISTS (SELECT 1 FROM people_user WHERE upper(username) = upper(wanted)) $$;
"""
BACK = """
DROP FUNCTION people_username_taken(text);
DROP POLICY scope ON people_apitoken; ALTER TABLE people_apitoken DISABLE ROW LEVEL SECURITY;
DROP POLICY scope ON people_user; ALTER TABLE people_user DISABLE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("people", "0004_consent"), ("common", "0003_scope_inlined")]
    operations = [migrations.RunSQL(USER, BACK)]
