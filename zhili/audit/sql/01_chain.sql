-- The audit chain (T-08). The same forms stand in audit/chain.py, with golden vectors in tests/test_chain.py.
-- A row is added at once and linked at the very end of its transaction, after every other lock and check: the lock
-- of a village's chain is then held for the commit alone, and is always the last one taken.

CREATE OR REPLACE FUNCTION audit_netstring(p text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT length(convert_to(p, 'UTF8')) || ':' || p || ','
$$;

CREATE OR REPLACE FUNCTION audit_line(e audit_entry) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT 'zhili-audit/1|' || e.place || '|' || e.seq || '|' || encode(e.previous, 'hex') || '|' || e.algorithm || '|'
    || e.id || '|' || to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '|' || e.utc_offset || '|'
    || coalesce(e.actor_id::text, '') || '|' || coalesce(e.on_behalf_of::text, '') || '|'
    || audit_netstring(e.role) || audit_netstring(e.action) || audit_netstring(e.target)
    || audit_netstring(e.outcome) || audit_netstring(e.source) || audit_netstring(e.receipt)
    || audit_netstring(e.detail::text)
$$;

-- Gives the unlinked rows of one transaction their numbers and digests, chain by chain, in the order of the codes.
CREATE OR REPLACE FUNCTION audit_link(p_tx bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  scope text := current_setting('zhili.scope', true);
  chain text;
  last bigint;
  head bytea;
  e audit_entry;
BEGIN
  PERFORM set_config('zhili.scope', '*', true);
  FOR chain IN SELECT DISTINCT a.place FROM audit_entry a WHERE a.tx = p_tx AND a.seq IS NULL ORDER BY 1 LOOP
    PERFORM pg_advisory_xact_lock(hashtextextended('zhili.audit.' || chain, 0));
    SELECT a.seq, a.digest INTO last, head FROM audit_entry a
     WHERE a.place = chain AND a.seq IS NOT NULL ORDER BY a.seq DESC LIMIT 1;
    IF NOT FOUND THEN
      last := 0;
      head := decode(repeat('00', 32), 'hex');
    END IF;
    FOR e IN SELECT a.* FROM audit_entry a WHERE a.tx = p_tx AND a.seq IS NULL AND a.place = chain
              ORDER BY a.at, a.id LOOP
      last := last + 1;
      e.seq := last;
      e.previous := head;
      e.algorithm := 'sha256';
      head := sha256('\x10'::bytea || convert_to(audit_line(e), 'UTF8'));
      UPDATE audit_entry a SET seq = e.seq, previous = e.previous, algorithm = e.algorithm, digest = head,
                               tx = NULL WHERE a.id = e.id;
    END LOOP;
  END LOOP;
  PERFORM set_config('zhili.scope', coalesce(scope, ''), true);
END $$;

-- Whoever adds a row cannot say where it stands.
CREATE OR REPLACE FUNCTION audit_fresh() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.tx := pg_current_xact_id()::text::bigint;
  NEW.seq := NULL;
  NEW.previous := NULL;
  NEW.digest := NULL;
  NEW.algorithm := '';
  RETURN NEW;
END $$;

-- The first row's deferred trigger asks for the linking, which is then itself deferred: so it comes after all the
-- foreign keys and other checks that were waiting for the end of this transaction.
CREATE OR REPLACE FUNCTION audit_arrange() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO audit_round (tx) VALUES (NEW.tx) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION audit_seal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '15s' AS $$
BEGIN
  PERFORM audit_link(NEW.tx);
  DELETE FROM audit_round r WHERE r.tx = NEW.tx;
  RETURN NULL;
END $$;

-- One change is allowed, once: a row that has no number yet gets it. Nothing else about it may change with that.
CREATE OR REPLACE FUNCTION audit_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.seq IS NULL AND NEW.seq IS NOT NULL AND OLD.tx IS NOT NULL AND NEW.tx IS NULL
     AND (NEW.id, NEW.at, NEW.place, NEW.utc_offset, NEW.role, NEW.action, NEW.target, NEW.outcome, NEW.source,
          NEW.receipt) = (OLD.id, OLD.at, OLD.place, OLD.utc_offset, OLD.role, OLD.action, OLD.target, OLD.outcome,
                          OLD.source, OLD.receipt)
     AND NEW.actor_id IS NOT DISTINCT FROM OLD.actor_id AND NEW.on_behalf_of IS NOT DISTINCT FROM OLD.on_behalf_of
     AND NEW.detail::text = OLD.detail::text THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '% 只能追加，不能修改或删除', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

REVOKE ALL ON FUNCTION audit_link FROM PUBLIC;
