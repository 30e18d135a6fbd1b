"""Every write of the shop, by the file that explains it."""

from zhili.shop.deliveries import Arrived, add_supplier, edit_supplier, stock_in, take_delivery
from zhili.shop.fairs import (
    answer_poll,
    cancel_fair_day,
    close_fair_day,
    close_poll,
    open_fair_day,
    open_poll,
    pass_over,
    plan_fair_day,
    take_number,
)
from zhili.shop.flags import judge_flag
from zhili.shop.goods import (
    Counted,
    add_good,
    add_prices,
    ask_count,
    close_shop,
    edit_good,
    edit_shop,
    open_shop,
    publish_prices,
    sign_count,
    take_back,
)
from zhili.shop.money import change_settings, deposit, open_fund, pay_partner, settle_floating
from zhili.shop.ordering import Visit, cancel, expire_orders, hand_over, redeem, reserve
from zhili.shop.pictures import drop_picture, set_picture
from zhili.shop.proofs import Proof, pin_is_right, set_pin
from zhili.shop.reconciling import add_note, make_reconciliation, sign_reconciliation
from zhili.shop.settling import confirm_floating, settle_shop
from zhili.shop.wishes import Wanted

__all__ = [
    "Arrived",
    "Counted",
    "Proof",
    "Visit",
    "Wanted",
    "add_good",
    "add_note",
    "add_prices",
    "add_supplier",
    "answer_poll",
    "ask_count",
    "cancel",
    "cancel_fair_day",
    "change_settings",
    "close_fair_day",
    "close_poll",
    "close_shop",
    "confirm_floating",
    "deposit",
    "drop_picture",
    "edit_good",
    "edit_shop",
    "edit_supplier",
    "expire_orders",
    "hand_over",
    "judge_flag",
    "make_reconciliation",
    "open_fair_day",
    "open_fund",
    "open_poll",
    "open_shop",
    "pass_over",
    "pay_partner",
    "pin_is_right",
    "plan_fair_day",
    "publish_prices",
    "redeem",
    "reserve",
    "set_picture",
    "set_pin",
    "settle_floating",
    "settle_shop",
    "sign_count",
    "sign_reconciliation",
    "stock_in",
    "take_back",
    "take_delivery",
    "take_number",
]
