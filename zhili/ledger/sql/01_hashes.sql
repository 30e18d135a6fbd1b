-- Canonical bytes and digests. The same forms stand in chain.py, with golden vectors in tests/test_chain.py.
-- Fields are joined by '|'; no field can hold one: they are codes, numbers, dates, uuids and hex.

-- STABLE, because convert_to() is: a function that claims more than its body is never inlined.
CREATE OR REPLACE FUNCTION ledger_account_id(p_place text, p_kind text, p_owner uuid, p_purse text)
RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT encode(substr(sha256(convert_to(
    'zhili-account/1|' || p_place || '|' || p_kind || '|' || coalesce(p_owner::text, '') || '|' || p_purse,
    'UTF8')), 1, 16), 'hex')::uuid
$$;

CREATE OR REPLACE FUNCTION ledger_account_seal(p_id uuid, p_negative boolean, p_opened date, p_closed date)
RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT sha256(convert_to(
    'zhili-seal/1|' || p_id || '|' || p_negative::int || '|' || (p_opened - date '2000-01-01') || '|'
    || coalesce((p_closed - date '2000-01-01')::text, ''), 'UTF8'))
$$;

CREATE OR REPLACE FUNCTION ledger_batch_id(p_place text, p_seq bigint) RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT encode(substr(sha256(convert_to('zhili-batch-id/1|' || p_place || '|' || p_seq, 'UTF8')), 1, 16), 'hex')::uuid
$$;

CREATE OR REPLACE FUNCTION ledger_moment(p_at timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- Root of the Merkle tree over leaves laid end to end (32 bytes each): the tree of RFC 6962, built level by
-- level; an odd node at the end of a level moves up as it is.
CREATE OR REPLACE FUNCTION ledger_root(p_leaves bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  level bytea := p_leaves;
  nodes int := length(p_leaves) / 32;
BEGIN
  IF nodes = 0 THEN RETURN sha256(''::bytea); END IF;
  WHILE nodes > 1 LOOP
    SELECT string_agg(sha256('\x01'::bytea || substr(level, g * 64 + 1, 64)), ''::bytea ORDER BY g)
           || CASE WHEN nodes % 2 = 1 THEN substr(level, (nodes - 1) * 32 + 1, 32) ELSE ''::bytea END
      INTO level FROM generate_series(0, nodes / 2 - 1) AS g;
    nodes := (nodes + 1) / 2;
  END LOOP;
  RETURN level;
END $$;

-- What a transfer must say about its origin (L-07). Missing and null are the same here.
CREATE OR REPLACE FUNCTION ledger_cause_complete(p_code text, p_cause text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE p_code
    WHEN 'award' THEN jsonb_strip_nulls(p_cause::jsonb) ?& '{rule,rule_version,item,claim,evidence,reviewers,actor,channel,number}'
    WHEN 'deduct' THEN jsonb_strip_nulls(p_cause::jsonb) ?& '{rule,rule_version,item,claim,evidence,reviewers,actor,channel,number}'
    WHEN 'opening' THEN jsonb_strip_nulls(p_cause::jsonb) ?& '{rule,rule_version}'
    WHEN 'reverse' THEN jsonb_strip_nulls(p_cause::jsonb) ?& '{reason,approved_by,actor}'
    WHEN 'household' THEN jsonb_strip_nulls(p_cause::jsonb) ?& '{basis,actor}'
    WHEN 'move_away' THEN jsonb_strip_nulls(p_cause::jsonb) ?& '{basis,actor}'
    ELSE p_cause LIKE '{%}'
  END
$$;
