-- Posting: the only way a transfer comes into being. One call takes 1 or 300,000 transfers.
--
-- Errors come back in `error` (a word) and `facts`, not as exceptions: the attempt is undone inside, and the caller's
-- transaction lives on. Every array has one element per transfer, or is null where no transfer has any.

-- Which kinds of account points may flow between, as from * 16 + to: pool 1, issued 2, holder 3, deducted 4,
-- redeemed 5, expired 6, reversed 7, moved 8. A reversal may go anywhere its original came from.
CREATE OR REPLACE FUNCTION ledger_kind(p_kind text) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT array_position('{pool,issued,holder,deducted,redeemed,expired,reversed,moved}'::text[], p_kind)
$$;

CREATE OR REPLACE FUNCTION ledger_refuse(p_word text, p_facts jsonb DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'ZL001', MESSAGE = p_word, DETAIL = p_facts::text;
END $$;

-- Deductions that stop at zero (L-06): all credits of the batch count first, then plain debits, then these in order.
CREATE OR REPLACE FUNCTION ledger_clip(
  p_accounts uuid[], p_debits int[], p_credits int[], p_amounts bigint[], p_phases text[], p_clip boolean[],
  OUT amounts bigint[], OUT shorts bigint[]) LANGUAGE sql SET enable_hashjoin = on AS $$
  WITH t AS MATERIALIZED (
    SELECT * FROM unnest(p_debits, p_credits, p_amounts, p_phases, p_clip) WITH ORDINALITY
                  AS u(d, c, amount, phase, clip, i)
  ), touched AS (SELECT DISTINCT d FROM t WHERE clip
  ), delta AS (
    SELECT account, sum(amount) AS amount FROM (
      SELECT c AS account, amount FROM t WHERE c IN (SELECT d FROM touched)
        AND coalesce(phase, 'posted') IN ('posted', 'settled')
      UNION ALL SELECT d, -amount FROM t WHERE NOT clip AND d IN (SELECT d FROM touched)
        AND coalesce(phase, 'posted') IN ('posted', 'pending')
      UNION ALL SELECT d, amount FROM t WHERE d IN (SELECT d FROM touched) AND phase = 'voided') x GROUP BY account
  ), room AS (
    SELECT touched.d, CASE WHEN a.may_go_negative THEN 9223372036854775807::numeric
      ELSE coalesce(a.credits - a.debits - a.reserved, 0) + coalesce(delta.amount, 0) END AS available
    FROM touched LEFT JOIN delta ON delta.account = touched.d LEFT JOIN ledger_account a ON a.id = p_accounts[touched.d]
  ), wanted AS (
    SELECT i, d, amount, clip, sum(CASE WHEN clip THEN amount ELSE 0 END)
             OVER (PARTITION BY d ORDER BY i ROWS UNBOUNDED PRECEDING) - amount AS before FROM t
  ), final AS (
    SELECT i, w.amount AS asked, CASE WHEN clip THEN greatest(0, least(w.amount, room.available - before))::bigint
                                 ELSE w.amount END AS amount
    FROM wanted w LEFT JOIN room USING (d)
  )
  SELECT array_agg(amount ORDER BY i), array_agg(asked - amount ORDER BY i) FROM final
$$;

-- Settling and voiding name a pending transfer of the same accounts and amount; a reversal names an entry that happened.
CREATE OR REPLACE FUNCTION ledger_check_links(
  p_place text, p_accounts uuid[], p_ids uuid[], p_debits int[], p_credits int[], p_amounts bigint[], p_shorts bigint[],
  p_pending uuid[], p_reverses uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  bad uuid;
BEGIN
  -- Said first, because a second attempt would also find the purse changed and complain of that.
  IF EXISTS (SELECT FROM ledger_transfer o WHERE o.pending_of = ANY (p_pending)) THEN
    PERFORM ledger_refuse('transfer_resolved_once');
  END IF;
  IF EXISTS (SELECT FROM ledger_transfer o WHERE o.reverses = ANY (p_reverses)) THEN
    PERFORM ledger_refuse('transfer_reversed_once');
  END IF;
  SELECT u.id INTO bad FROM unnest(p_ids, p_debits, p_credits, p_amounts, p_pending) AS u(id, d, c, amount, pending)
    LEFT JOIN ledger_transfer o ON o.id = u.pending AND o.place = p_place
  WHERE u.pending IS NOT NULL AND (o.id IS NULL OR o.phase <> 'pending' OR o.amount <> u.amount
    OR o.debit <> p_accounts[u.d] OR o.credit <> p_accounts[u.c]) LIMIT 1;
  IF FOUND THEN PERFORM ledger_refuse('pending_unknown', jsonb_build_object('id', bad)); END IF;
  SELECT u.id INTO bad FROM unnest(p_ids, p_debits, p_amounts, p_shorts, p_reverses) AS u(id, d, amount, short, reverses)
    LEFT JOIN ledger_transfer o ON o.id = u.reverses AND o.place = p_place
  WHERE u.reverses IS NOT NULL AND (o.id IS NULL OR o.phase NOT IN ('posted', 'settled')
    OR o.amount <> u.amount + coalesce(u.short, 0) OR o.credit <> p_accounts[u.d]) LIMIT 1;
  IF FOUND THEN PERFORM ledger_refuse('reversal_unknown', jsonb_build_object('id', bad)); END IF;
END $$;

-- Accounts are opened by the first posting that names them. Returns their ids in the order given.
CREATE OR REPLACE FUNCTION ledger_open(
  p_place text, p_kinds text[], p_owners uuid[], p_purses text[], p_negative boolean[], p_on date) RETURNS uuid[]
LANGUAGE plpgsql AS $$
DECLARE
  ids uuid[];
  known int;
  closed uuid;
BEGIN
  SELECT array_agg(ledger_account_id(p_place, u.kind, u.owner, u.purse) ORDER BY u.i) INTO ids
    FROM unnest(p_kinds, p_owners, p_purses) WITH ORDINALITY AS u(kind, owner, purse, i);
  SELECT count(*), (array_agg(a.owner) FILTER (WHERE a.closed_on IS NOT NULL))[1] INTO known, closed
    FROM unnest(ids) AS u(id) JOIN ledger_account a ON a.id = u.id;
  IF closed IS NOT NULL THEN PERFORM ledger_refuse('account_closed', jsonb_build_object('owner', closed)); END IF;
  IF known < cardinality(ids) THEN
    INSERT INTO ledger_account (id, place, kind, owner, purse, credits, debits, reserved, may_go_negative, opened_on, seal)
    SELECT u.id, p_place, u.kind, u.owner, u.purse, 0, 0, 0, u.negative, p_on,
           ledger_account_seal(u.id, u.negative, p_on, NULL)
      FROM unnest(ids, p_kinds, p_owners, p_purses, p_negative) AS u(id, kind, owner, purse, negative)
      ON CONFLICT (id) DO NOTHING;
  END IF;
  IF true = ANY (p_negative) THEN
    UPDATE ledger_account SET may_go_negative = true, seal = ledger_account_seal(id, true, opened_on, NULL)
     WHERE NOT may_go_negative AND id IN (SELECT u.id FROM unnest(ids, p_negative) AS u(id, negative) WHERE negative);
  END IF;
  RETURN ids;
END $$;

-- The rows, the balances and the period totals, in one statement. Returns the leaves end to end.
CREATE OR REPLACE FUNCTION ledger_write(
  p_place text, p_seq bigint, p_posted_at timestamptz, p_period text, p_accounts uuid[], p_kinds int[],
  p_ids uuid[], p_debits int[], p_credits int[], p_amounts bigint[], p_shorts bigint[], p_codes text[], p_phases text[],
  p_pending uuid[], p_reverses uuid[], p_occurred date[], p_late boolean[], p_salts bytea, p_causes text[],
  p_closed datemultirange, p_commitments bytea, p_leaves bytea, OUT leaves bytea, OUT total bigint)
LANGUAGE plpgsql AS $$
DECLARE
  prefix text := 'zhili-transfer/1|' || p_place || '|' || p_seq || '|';
  suffix text := '|' || ledger_moment(p_posted_at) || '|' || p_period || '|';
BEGIN
  WITH t AS (
    SELECT u.i, u.id, p_accounts[u.d] AS debit, p_accounts[u.c] AS credit, p_kinds[u.d] AS from_kind,
           p_kinds[u.c] AS to_kind, u.amount, coalesce(u.short, 0) AS short, u.code, coalesce(u.phase, 'posted') AS phase,
           u.pending_of, u.reverses, u.occurred_on, coalesce(u.late, false) OR p_closed @> u.occurred_on AS late,
           substr(p_salts, u.i::int * 16 - 15, 16) AS salt, u.cause,
           CASE WHEN p_commitments IS NULL
             THEN sha256('\x03'::bytea || substr(p_salts, u.i::int * 16 - 15, 16) || convert_to(u.cause, 'UTF8'))
             ELSE substr(p_commitments, u.i::int * 32 - 31, 32) END AS commitment
      FROM unnest(p_ids, p_debits, p_credits, p_amounts, p_shorts, p_codes, p_phases, p_pending, p_reverses, p_occurred,
                  p_late, p_causes) WITH ORDINALITY
           AS u(id, d, c, amount, short, code, phase, pending_of, reverses, occurred_on, late, cause, i)
    OFFSET 0  -- each commitment is worked out once
  ), l AS MATERIALIZED (
    SELECT t.*, CASE WHEN p_leaves IS NOT NULL THEN substr(p_leaves, t.i::int * 32 - 31, 32) ELSE
      sha256('\x00'::bytea || convert_to(
      prefix || i || '|' || id || '|' || debit || '|' || credit || '|' || amount || '|' || short || '|' || code || '|'
      || phase || '|' || coalesce(pending_of::text, '') || '|' || coalesce(reverses::text, '') || '|'
      || (occurred_on - date '2000-01-01') || suffix || late::int || '|' || encode(commitment, 'hex'), 'UTF8')) END AS leaf
    FROM t
  ), written AS (
    INSERT INTO ledger_transfer (id, place, seq, index, debit, credit, amount, short, code, phase, pending_of, reverses,
                                 occurred_on, posted_at, period, late, salt, cause, commitment, leaf)
    SELECT id, p_place, p_seq, i, debit, credit, amount, short, code, phase, pending_of, reverses, occurred_on,
           p_posted_at, p_period, late, salt, cause, commitment, leaf FROM l
  ), side AS (
    SELECT credit AS account, to_kind AS kind, code, amount AS plus, 0::bigint AS minus, 0::bigint AS reserve
      FROM l WHERE phase IN ('posted', 'settled')
    UNION ALL
    SELECT debit, from_kind, code, 0, CASE WHEN phase IN ('posted', 'settled') THEN amount ELSE 0 END,
           CASE phase WHEN 'pending' THEN amount WHEN 'posted' THEN 0 ELSE -amount END FROM l
  ), delta AS MATERIALIZED (
    SELECT account, min(kind) AS kind, sum(plus)::bigint AS plus, sum(minus)::bigint AS minus,
           sum(reserve)::bigint AS reserve,
           coalesce(sum(plus) FILTER (WHERE code IN ('award', 'opening')), 0)::bigint AS earned,
           coalesce(sum(minus) FILTER (WHERE code = 'deduct'), 0)::bigint AS deducted,
           coalesce(sum(minus) FILTER (WHERE code = 'redeem'), 0)::bigint AS spent,
           coalesce(sum(minus) FILTER (WHERE code = 'expire'), 0)::bigint AS expired
      FROM side GROUP BY account
  ), balances AS (
    UPDATE ledger_account a SET credits = a.credits + d.plus, debits = a.debits + d.minus,
                                reserved = a.reserved + d.reserve
      FROM delta d WHERE a.id = d.account
  ), totals AS (
    INSERT INTO ledger_periodtotal AS p (account, period, place, earned, deducted, spent, expired, adjusted)
    SELECT account, p_period, p_place, earned, deducted, spent, expired,
           plus - minus - earned + deducted + spent + expired
      FROM delta WHERE kind = 3 AND (plus <> 0 OR minus <> 0)
    ON CONFLICT (account, period) DO UPDATE SET earned = p.earned + excluded.earned,
      deducted = p.deducted + excluded.deducted, spent = p.spent + excluded.spent,
      expired = p.expired + excluded.expired, adjusted = p.adjusted + excluded.adjusted
  )
  SELECT string_agg(l.leaf, ''::bytea ORDER BY l.i), sum(l.amount)::bigint INTO leaves, total FROM l;
END $$;

-- Which holder would fall below zero, for the message.
CREATE OR REPLACE FUNCTION ledger_who_is_short(
  p_place text, p_kinds text[], p_owners uuid[], p_purses text[], p_debits int[], p_amounts bigint[]) RETURNS jsonb
LANGUAGE sql SET enable_hashjoin = on AS $$
  SELECT jsonb_build_object('owner', k.owner, 'purse', k.purse, 'available', coalesce(min(a.credits - a.debits - a.reserved), 0),
                            'wanted', sum(u.amount))
    FROM unnest(p_debits, p_amounts) AS u(d, amount)
    JOIN unnest(p_kinds, p_owners, p_purses) WITH ORDINALITY AS k(kind, owner, purse, i) ON k.i = u.d AND k.kind = 'holder'
    LEFT JOIN ledger_account a ON a.id = ledger_account_id(p_place, k.kind, k.owner, k.purse)
   GROUP BY k.owner, k.purse
  HAVING sum(u.amount) > coalesce(min(a.credits - a.debits - a.reserved), 0) LIMIT 1
$$;

-- Were these keys posted before? found = how many, same = how many with this very body, at = their batch (if one).
CREATE OR REPLACE FUNCTION ledger_replayed(
  p_place text, p_period text, p_kinds text[], p_owners uuid[], p_purses text[], p_ids uuid[], p_debits int[],
  p_credits int[], p_amounts bigint[], p_codes text[], p_phases text[], p_pending uuid[], p_reverses uuid[],
  p_occurred date[], p_causes text[], OUT found int, OUT same int, OUT first_seq bigint, OUT last_seq bigint)
LANGUAGE sql SET enable_hashjoin = on AS $$
  WITH keys AS MATERIALIZED (
    SELECT ledger_account_id(p_place, k.kind, k.owner, k.purse) AS id, k.i
      FROM unnest(p_kinds, p_owners, p_purses) WITH ORDINALITY AS k(kind, owner, purse, i))
  SELECT count(o.id)::int, count(o.id) FILTER (WHERE o.place = p_place AND o.period = p_period AND o.debit = d.id
      AND o.credit = c.id AND o.amount + o.short = u.amount AND o.code = u.code
      AND o.phase = coalesce(u.phase, 'posted') AND o.pending_of IS NOT DISTINCT FROM u.pending_of
      AND o.reverses IS NOT DISTINCT FROM u.reverses AND o.occurred_on = u.occurred_on AND o.cause = u.cause)::int,
      min(o.seq), max(o.seq)
    FROM unnest(p_ids, p_debits, p_credits, p_amounts, p_codes, p_phases, p_pending, p_reverses, p_occurred, p_causes)
         AS u(id, d, c, amount, code, phase, pending_of, reverses, occurred_on, cause)
    JOIN keys d ON d.i = u.d JOIN keys c ON c.i = u.c LEFT JOIN ledger_transfer o ON o.id = u.id
$$;

-- What a posting under SM3 will write, so that its digests can be made outside: PostgreSQL has no SM3. Holds the
-- village's lock until the transaction ends and leaves nothing behind. What it does not notice, ledger_post does.
CREATE OR REPLACE FUNCTION ledger_draft(
  p_place text, p_opened date, p_kinds text[], p_owners uuid[], p_purses text[], p_negative boolean[], p_debits int[],
  p_credits int[], p_amounts bigint[], p_phases text[], p_occurred date[], p_late boolean[], p_clip boolean[],
  OUT error text, OUT seq bigint, OUT previous bytea, OUT accounts uuid[], OUT amounts bigint[], OUT shorts bigint[],
  OUT late boolean[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '3s' SET work_mem = '128MB' AS $$
BEGIN
  amounts := p_amounts;
  SELECT t.seq + 1, t.head INTO seq, previous FROM ledger_tip(p_place) t;
  SELECT array_agg(ledger_account_id(p_place, u.kind, u.owner, u.purse) ORDER BY u.i) INTO accounts
    FROM unnest(p_kinds, p_owners, p_purses) WITH ORDINALITY AS u(kind, owner, purse, i);
  SELECT array_agg(coalesce(u.late, false) OR EXISTS (SELECT FROM ledger_periodclose c WHERE c.place = p_place
                     AND u.occurred BETWEEN c.starts AND c.ends) ORDER BY u.i) INTO late
    FROM unnest(p_occurred, p_late) WITH ORDINALITY AS u(occurred, late, i);
  IF p_clip IS NOT NULL THEN
    BEGIN
      PERFORM ledger_open(p_place, p_kinds, p_owners, p_purses, p_negative, p_opened);
      SELECT c.amounts, c.shorts INTO amounts, shorts
        FROM ledger_clip(accounts, p_debits, p_credits, p_amounts, p_phases, p_clip) c;
      RAISE EXCEPTION USING ERRCODE = 'ZL002';
    EXCEPTION WHEN SQLSTATE 'ZL001' OR SQLSTATE 'ZL002' THEN NULL;
    END;
  END IF;
EXCEPTION WHEN lock_not_available THEN error := 'busy';
END $$;

CREATE OR REPLACE FUNCTION ledger_post(
  p_place text, p_by bigint, p_period text, p_note text, p_posted_at timestamptz, p_opened date,
  p_kinds text[], p_owners uuid[], p_purses text[], p_negative boolean[],
  p_ids uuid[], p_debits int[], p_credits int[], p_amounts bigint[], p_codes text[], p_occurred date[], p_salts bytea,
  p_causes text[], p_phases text[], p_pending uuid[], p_reverses uuid[], p_late boolean[], p_clip boolean[],
  p_algorithm text DEFAULT 'sha256', p_commitments bytea DEFAULT NULL, p_leaves bytea DEFAULT NULL,
  p_root bytea DEFAULT NULL, p_head bytea DEFAULT NULL, p_check bytea DEFAULT NULL,
  OUT error text, OUT facts text, OUT seq bigint, OUT head bytea, OUT count int, OUT total bigint, OUT replayed boolean,
  OUT shorts bigint[])
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '3s' SET work_mem = '128MB'
-- One plan for 1 and for 300,000: look each row up by its key. It must not depend on how full the tables were when the
-- connection first planned it: a plan that reads a table of 40 accounts whole is kept until the next ANALYZE.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_material = off
AS $$
DECLARE
  ids uuid[];
  kinds int[];
  purses int[];
  tip record;
  written record;
  amounts bigint[] := p_amounts;
  over boolean;
  closed datemultirange;
  wrong text;
  broken jsonb;
BEGIN
  IF p_algorithm IS NULL OR (p_algorithm = 'sha256') <> (p_head IS NULL) OR p_algorithm NOT IN ('sha256', 'sm3')
     OR length(p_commitments) <> 32 * cardinality(p_ids) OR length(p_leaves) <> 32 * cardinality(p_ids)
     OR (p_head IS NOT NULL AND num_nulls(p_commitments, p_leaves, p_root, p_check) > 0)
     OR (p_head IS NULL AND num_nonnulls(p_commitments, p_leaves, p_root, p_check) > 0)
     OR length(p_root) <> 32 OR length(p_head) <> 32 THEN
    error := 'digest_mismatch'; RETURN;
  END IF;
  replayed := false;
  count := cardinality(p_ids);
  BEGIN
    SELECT * INTO tip FROM ledger_tip(p_place);
    IF ledger_is_stopped(p_place) THEN PERFORM ledger_refuse('read_only'); END IF;
    SELECT bool_or(c.period = p_period), coalesce(range_agg(daterange(c.starts, c.ends, '[]')), '{}')
      INTO over, closed FROM ledger_periodclose c WHERE c.place = p_place;
    IF over THEN PERFORM ledger_refuse('period_closed'); END IF;
    ids := ledger_open(p_place, p_kinds, p_owners, p_purses, p_negative, p_opened);
    broken := ledger_broken(p_place, tip.seq, ids);
    IF broken IS NOT NULL THEN PERFORM ledger_refuse('broken', broken); END IF;
    SELECT array_agg(ledger_kind(u.kind) ORDER BY u.i), array_agg(hashtext(u.purse) ORDER BY u.i) INTO kinds, purses
      FROM unnest(p_kinds, p_purses) WITH ORDINALITY AS u(kind, purse, i);
    SELECT CASE WHEN purses[u.d] IS DISTINCT FROM purses[u.c] THEN 'purses_mixed' ELSE 'flow_unknown' END INTO wrong
      FROM unnest(p_debits, p_credits, p_codes) AS u(d, c, code)
     WHERE purses[u.d] IS DISTINCT FROM purses[u.c] OR u.code <> 'reverse'
       AND kinds[u.d] * 16 + kinds[u.c] NOT IN (18, 33, 35, 51, 52, 53, 54, 56, 131) LIMIT 1;
    IF FOUND THEN PERFORM ledger_refuse(wrong); END IF;
    IF p_clip IS NOT NULL THEN
      IF EXISTS (SELECT FROM unnest(p_credits, p_clip) AS u(c, clip) WHERE u.clip AND kinds[u.c] = 3) THEN
        PERFORM ledger_refuse('flow_unknown');
      END IF;
      SELECT c.amounts, c.shorts INTO amounts, shorts
        FROM ledger_clip(ids, p_debits, p_credits, p_amounts, p_phases, p_clip) c;
    END IF;
    IF p_pending IS NOT NULL OR p_reverses IS NOT NULL THEN
      PERFORM ledger_check_links(p_place, ids, p_ids, p_debits, p_credits, amounts, shorts, p_pending, p_reverses);
    END IF;
    SELECT * INTO written FROM ledger_write(p_place, tip.seq + 1, p_posted_at, p_period, ids, kinds, p_ids, p_debits,
      p_credits, amounts, shorts, p_codes, p_phases, p_pending, p_reverses, p_occurred, p_late, p_salts, p_causes, closed,
      p_commitments, p_leaves);
    seq := tip.seq + 1;
    total := written.total;
    head := ledger_link(p_place, seq, tip.head, coalesce(p_root, ledger_root(written.leaves)), count, total, p_posted_at,
                        p_period, p_by, p_note, p_algorithm, p_head,
                        CASE WHEN p_head IS NOT NULL THEN ledger_lines_digest(p_place, seq) END, p_check);
    RETURN;
  EXCEPTION
    WHEN SQLSTATE 'ZL001' THEN GET STACKED DIAGNOSTICS error = MESSAGE_TEXT, facts = PG_EXCEPTION_DETAIL;
    WHEN lock_not_available THEN error := 'busy'; RETURN;
    WHEN unique_violation OR check_violation THEN
      GET STACKED DIAGNOSTICS error = CONSTRAINT_NAME, facts = PG_EXCEPTION_DETAIL;
  END;
  IF error = 'broken' THEN RETURN; END IF;
  -- A retry of something that went through earlier must hear the earlier answer, whatever else would be wrong now.
  SELECT * INTO written FROM ledger_replayed(p_place, p_period, p_kinds, p_owners, p_purses, p_ids, p_debits, p_credits,
    p_amounts, p_codes, p_phases, p_pending, p_reverses, p_occurred, p_causes);
  IF written.same = count AND written.first_seq = written.last_seq THEN
    error := NULL; facts := NULL; replayed := true;
    SELECT b.seq, b.head, b.count, b.total INTO seq, head, count, total FROM ledger_batch b
     WHERE b.place = p_place AND b.seq = written.last_seq;
    SELECT array_agg(o.short ORDER BY u.i) INTO shorts FROM unnest(p_ids) WITH ORDINALITY AS u(id, i)
      JOIN ledger_transfer o ON o.id = u.id;
  ELSIF written.found > 0 THEN
    error := 'key_used';
    facts := jsonb_build_object('found', written.found, 'seq', written.last_seq)::text;
  ELSIF error = 'account_never_below_zero' THEN
    facts := ledger_who_is_short(p_place, p_kinds, p_owners, p_purses, p_debits, amounts)::text;
  END IF;
END $$;
