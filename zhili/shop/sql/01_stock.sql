-- The shelf: pieces and their cost follow from the moves; nobody writes them directly (C-18).

CREATE OR REPLACE FUNCTION shop_move_goods() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  shelf shop_good%ROWTYPE;
BEGIN
  SELECT * INTO shelf FROM shop_good WHERE id = NEW.good_id AND place = NEW.place FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION '没有这种物品' USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'stockmove_good';
  END IF;
  IF NEW.quantity < 0 THEN
    -- Average cost; the last piece takes what is left, so that an empty shelf is worth nothing.
    NEW.fen := CASE WHEN shelf.stock + NEW.quantity <= 0 THEN shelf.value_fen
                    ELSE (shelf.value_fen * -NEW.quantity + shelf.stock / 2) / shelf.stock END;
    UPDATE shop_good SET stock = stock + NEW.quantity, value_fen = value_fen - NEW.fen WHERE id = NEW.good_id;
  ELSE
    IF NEW.kind = 'count' THEN
      NEW.fen := CASE WHEN shelf.stock > 0 THEN shelf.value_fen * NEW.quantity / shelf.stock ELSE 0 END;
    END IF;
    UPDATE shop_good SET stock = stock + NEW.quantity, value_fen = value_fen + NEW.fen WHERE id = NEW.good_id;
  END IF;
  RETURN NEW;
END $$;

-- Every move of goods that cost money is a line in the money books, in the same breath.
CREATE OR REPLACE FUNCTION shop_book_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.fen > 0 THEN
    INSERT INTO shop_fundentry (id, place, fund_id, debit, credit, fen, code, source, paper, move_id, ledger_points, by_id, at, "on")
    SELECT md5(NEW.id::text || 'fund')::uuid, NEW.place, NEW.fund_id, b.debit, b.credit, NEW.fen, b.code, NEW.donated_by,
           NEW.paper, NEW.id, 0, NEW.by_id, NEW.at, NEW."on"
      FROM (VALUES
        ('in', true, 'cash', 'goods', 'purchase'), ('out', false, 'goods', 'spent', 'hand_over'),
        ('back', true, 'spent', 'goods', 'back'), ('count', false, 'goods', 'lost', 'shrinkage'),
        ('count', true, 'lost', 'goods', 'found')) AS u(kind, comes, debit, credit, code),
      LATERAL (SELECT CASE WHEN u.kind = 'in' AND NEW.donated_by <> '' THEN 'source' ELSE u.debit END AS debit, u.credit,
                      CASE WHEN u.kind = 'in' AND NEW.donated_by <> '' THEN 'deposit' ELSE u.code END AS code) AS b
     WHERE u.kind = NEW.kind AND u.comes = (NEW.quantity > 0);
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER move_goods BEFORE INSERT ON shop_stockmove FOR EACH ROW EXECUTE FUNCTION shop_move_goods();
CREATE TRIGGER book_move AFTER INSERT ON shop_stockmove FOR EACH ROW EXECUTE FUNCTION shop_book_move();

CREATE OR REPLACE FUNCTION shop_keep_shelf() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.stock <> 0 OR NEW.value_fen <> 0 OR NEW.reserved <> 0 THEN
      RAISE EXCEPTION '新物品的库存从 0 开始，请用入库登记' USING ERRCODE = 'check_violation', CONSTRAINT = 'good_starts_empty';
    END IF;
  ELSIF pg_trigger_depth() < 2 AND (NEW.stock <> OLD.stock OR NEW.value_fen <> OLD.value_fen) THEN
    RAISE EXCEPTION '库存不能直接修改，请用入库、盘点' USING ERRCODE = 'check_violation', CONSTRAINT = 'good_stock_by_moves';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER keep_shelf BEFORE INSERT OR UPDATE ON shop_good FOR EACH ROW EXECUTE FUNCTION shop_keep_shelf();

-- Prices of a published list stay as they are (G-15).
CREATE OR REPLACE FUNCTION shop_keep_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '本期价目表已经公布，价格不能改' USING ERRCODE = 'check_violation', CONSTRAINT = 'price_frozen';
END $$;
CREATE TRIGGER keep_price BEFORE UPDATE OR DELETE ON shop_price FOR EACH ROW EXECUTE FUNCTION shop_keep_price();
