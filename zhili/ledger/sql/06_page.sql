-- The newest lines of one account, read along its two indexes from the newest end. Row security makes the planner expect
-- a handful of rows of any account; it would then fetch and sort a whole history to show twenty lines of it. ROWS: told
-- nothing, the planner expects a thousand lines of it and reads the whole book of the county to join them.
CREATE OR REPLACE FUNCTION ledger_page(p_account uuid, p_start timestamptz, p_end timestamptz, p_limit int)
RETURNS TABLE (id uuid, points bigint) LANGUAGE plpgsql STABLE ROWS 20
SET enable_bitmapscan = off SET enable_sort = off SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  RETURN QUERY SELECT e.id, e.points FROM (
    (SELECT t.id, t.seq, t.index, t.amount AS points FROM ledger_transfer t WHERE t.credit = p_account
        AND t.phase IN ('posted', 'settled') AND t.posted_at >= p_start AND t.posted_at < p_end
      ORDER BY t.seq DESC, t.index DESC LIMIT p_limit)
    UNION ALL
    (SELECT t.id, t.seq, t.index, -t.amount FROM ledger_transfer t WHERE t.debit = p_account
        AND t.phase IN ('posted', 'settled') AND t.posted_at >= p_start AND t.posted_at < p_end
      ORDER BY t.seq DESC, t.index DESC LIMIT p_limit)) e
  ORDER BY e.seq DESC, e.index DESC LIMIT p_limit;
END $$;
