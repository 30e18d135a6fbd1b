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

-- SM3 (GB/T 32905-2016), which PostgreSQL does not have, for the trail under 国密: rows are linked at the end of their
-- transaction, inside the database. Two or three milliseconds a row; the profile intl never comes here.
-- All bit operators bind alike and from the left, so every turn of a word stands in brackets of its own.
CREATE OR REPLACE FUNCTION zhili_sm3(p bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  m CONSTANT bigint := 4294967295;
  padded bytea := p || '\x80'::bytea || decode(repeat('00', (119 - length(p) % 64) % 64), 'hex')
                  || int8send(8 * length(p)::bigint);
  v bigint[] := ARRAY[1937774191, 1226093241, 388252375, 3666478592, 2842636476, 372324522, 3817729613, 2969243214];
  w bigint[];
  a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; g bigint; h bigint;
  t bigint; x bigint; s bigint;
BEGIN
  FOR start IN 0 .. length(padded) / 64 - 1 LOOP
    SELECT array_agg(((get_byte(padded, o)::bigint * 256 + get_byte(padded, o + 1)) * 256 + get_byte(padded, o + 2)) * 256
                     + get_byte(padded, o + 3) ORDER BY o)
      INTO w FROM generate_series(start * 64, start * 64 + 60, 4) AS o;
    FOR j IN 17 .. 68 LOOP
      t := w[j - 3];
      x := w[j - 16] # w[j - 9] # (((t << 15) & m) | (t >> 17));
      t := w[j - 13];
      w[j] := x # (((x << 15) & m) | (x >> 17)) # (((x << 23) & m) | (x >> 9)) # (((t << 7) & m) | (t >> 25)) # w[j - 6];
    END LOOP;
    a := v[1]; b := v[2]; c := v[3]; d := v[4]; e := v[5]; f := v[6]; g := v[7]; h := v[8];
    t := 2043430169;  -- 79CC4519
    FOR j IN 1 .. 64 LOOP
      IF j = 17 THEN
        t := 2643098247;  -- 7A879D8A, turned by 16
      END IF;
      x := ((a << 12) & m) | (a >> 20);
      s := (x + e + t) & m;
      s := ((s << 7) & m) | (s >> 25);
      IF j <= 16 THEN
        d := ((a # b # c) + d + (s # x) + (w[j] # w[j + 4])) & m;
        h := ((e # f # g) + h + s + w[j]) & m;
      ELSE
        d := (((a & b) | (a & c) | (b & c)) + d + (s # x) + (w[j] # w[j + 4])) & m;
        h := (((e & f) | ((m - e) & g)) + h + s + w[j]) & m;
      END IF;
      t := ((t << 1) & m) | (t >> 31);
      x := d; d := c; c := ((b << 9) & m) | (b >> 23); b := a; a := x;
      x := h # (((h << 9) & m) | (h >> 23)) # (((h << 17) & m) | (h >> 15));
      h := g; g := ((f << 19) & m) | (f >> 13); f := e; e := x;
    END LOOP;
    v := ARRAY[v[1] # a, v[2] # b, v[3] # c, v[4] # d, v[5] # e, v[6] # f, v[7] # g, v[8] # h];
  END LOOP;
  RETURN (SELECT string_agg(substr(int8send(u.word), 5), ''::bytea ORDER BY u.at)
            FROM unnest(v) WITH ORDINALITY AS u(word, at));
END $$;

-- Gives the unlinked rows of one transaction their numbers and digests, chain by chain, in the order of the codes.
CREATE OR REPLACE FUNCTION audit_link(p_tx bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  scope text := current_setting('zhili.scope', true);
  chain text;
  last bigint;
  head bytea;
  bytes bytea;
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
      e.algorithm := CASE e.algorithm WHEN 'sm3' THEN 'sm3' ELSE 'sha256' END;
      bytes := '\x10'::bytea || convert_to(audit_line(e), 'UTF8');
      head := CASE e.algorithm WHEN 'sm3' THEN zhili_sm3(bytes) ELSE sha256(bytes) END;
      UPDATE audit_entry a SET seq = e.seq, previous = e.previous, algorithm = e.algorithm, digest = head,
                               tx = NULL WHERE a.id = e.id;
    END LOOP;
  END LOOP;
  PERFORM set_config('zhili.scope', coalesce(scope, ''), true);
END $$;

-- Whoever adds a row cannot say where it stands; only which of the two digests it wants (the county's profile).
CREATE OR REPLACE FUNCTION audit_fresh() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.tx := pg_current_xact_id()::text::bigint;
  NEW.seq := NULL;
  NEW.previous := NULL;
  NEW.digest := NULL;
  NEW.algorithm := CASE NEW.algorithm WHEN 'sm3' THEN 'sm3' ELSE '' END;
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
