"""The four faces: /m/ phone, /desk/ office, /open/ public, /api/v1/ machines."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path

import zhili.claims.desk
import zhili.claims.desk_import
import zhili.claims.desk_review
import zhili.claims.desk_sheets
import zhili.claims.open
import zhili.claims.phone
import zhili.claims.phone_field
import zhili.claims.phone_offline
import zhili.claims.phone_review
import zhili.honours.desk
import zhili.honours.desk_lists
import zhili.honours.open
import zhili.honours.phone
import zhili.ledger.desk
import zhili.ledger.open
import zhili.notices.desk
import zhili.notices.desk_objections
import zhili.notices.open
import zhili.notices.phone
import zhili.people.desk
import zhili.people.desk_consents
import zhili.people.desk_import
import zhili.people.desk_roles
import zhili.people.phone
import zhili.places.desk
import zhili.places.holidays
import zhili.places.open
import zhili.privacy.desk
import zhili.privacy.desk_office
import zhili.privacy.open
import zhili.privacy.phone
import zhili.rulebook.desk
import zhili.rulebook.open
import zhili.rulebook.phone
import zhili.shop.desk
import zhili.shop.desk_counter
import zhili.shop.desk_fairs
import zhili.shop.desk_flags
import zhili.shop.desk_goods
import zhili.shop.desk_money
import zhili.shop.desk_orders
import zhili.shop.desk_paper
import zhili.shop.desk_prices
import zhili.shop.desk_reconciling
import zhili.shop.desk_settling
import zhili.shop.desk_stock
import zhili.shop.fair_pages
import zhili.shop.open_reconciling
import zhili.shop.phone
import zhili.shop.phone_counter
import zhili.web.accounts
import zhili.web.cards_paper
import zhili.web.claim_paper
import zhili.web.consent_paper
import zhili.web.delegation_paper
import zhili.web.desk
import zhili.web.expiry
import zhili.web.home
import zhili.web.honour_paper
import zhili.web.household_changes
import zhili.web.notice_paper
import zhili.web.notice_telling
import zhili.web.open
import zhili.web.order_paper
import zhili.web.passbook_paper
import zhili.web.phone
import zhili.web.poll_paper
import zhili.web.privacy_paper
import zhili.web.promises
import zhili.web.rulebook_paper
import zhili.web.sheet_paper
import zhili.web.shop_budget
import zhili.web.shop_paper
import zhili.web.trail_desk
import zhili.web.whatif
from zhili.config import health, metrics, selfcheck_page
from zhili.config.api import api, nothing_here

Pages = list[URLPattern | URLResolver]

# Each face module exports urlpatterns; add its line to the list of its face.
phone_pages: Pages = [
    *zhili.claims.phone.urlpatterns,
    *zhili.shop.phone_counter.urlpatterns,
    *zhili.shop.phone.urlpatterns,
    *zhili.shop.fair_pages.phone_urlpatterns,
    *zhili.web.order_paper.phone_urlpatterns,
    *zhili.claims.phone_offline.urlpatterns,
    *zhili.claims.phone_field.urlpatterns,
    *zhili.claims.phone_review.urlpatterns,
    *zhili.notices.phone.urlpatterns,
    *zhili.web.passbook_paper.phone_urlpatterns,
    *zhili.honours.phone.urlpatterns,
    *zhili.web.honour_paper.phone_urlpatterns,
    *zhili.web.claim_paper.phone_urlpatterns,
    *zhili.web.phone.urlpatterns,
    *zhili.people.phone.urlpatterns,
    *zhili.rulebook.phone.urlpatterns,
    *zhili.web.privacy_paper.phone_pages,
    *zhili.privacy.phone.urlpatterns,
]
desk_pages: Pages = [
    *zhili.claims.desk_import.urlpatterns,
    *zhili.shop.desk_counter.urlpatterns,
    *zhili.shop.desk_orders.urlpatterns,
    *zhili.shop.desk_paper.urlpatterns,
    *zhili.shop.fair_pages.desk_urlpatterns,
    *zhili.web.order_paper.desk_urlpatterns,
    *zhili.claims.desk.urlpatterns,
    *zhili.web.claim_paper.desk_urlpatterns,
    *zhili.claims.desk_review.urlpatterns,
    *zhili.web.sheet_paper.urlpatterns,
    *zhili.claims.desk_sheets.urlpatterns,
    *zhili.web.cards_paper.urlpatterns,
    *zhili.web.delegation_paper.desk_urlpatterns,
    *zhili.web.poll_paper.urlpatterns,
    *zhili.web.shop_paper.desk_urlpatterns,
    *zhili.notices.desk.urlpatterns,
    *zhili.web.notice_telling.urlpatterns,
    *zhili.notices.desk_objections.urlpatterns,
    *zhili.ledger.desk.urlpatterns,
    *zhili.honours.desk.urlpatterns,
    *zhili.honours.desk_lists.urlpatterns,
    *zhili.web.honour_paper.desk_urlpatterns,
    *zhili.web.expiry.urlpatterns,
    *zhili.web.passbook_paper.desk_urlpatterns,
    *zhili.web.desk.urlpatterns,
    *zhili.shop.desk_settling.urlpatterns,
    *zhili.shop.desk_money.urlpatterns,
    *zhili.shop.desk_reconciling.urlpatterns,
    *zhili.shop.desk_flags.urlpatterns,
    *zhili.web.shop_budget.urlpatterns,
    *zhili.shop.desk.urlpatterns,
    *zhili.shop.desk_goods.urlpatterns,
    *zhili.shop.desk_stock.urlpatterns,
    *zhili.shop.desk_prices.urlpatterns,
    *zhili.shop.desk_fairs.urlpatterns,
    *zhili.people.desk.urlpatterns,
    *zhili.people.desk_consents.urlpatterns,
    *zhili.web.consent_paper.urlpatterns,
    *zhili.places.desk.urlpatterns,
    *zhili.places.holidays.urlpatterns,
    *zhili.people.desk_import.urlpatterns,
    *zhili.people.desk_roles.urlpatterns,
    *zhili.web.household_changes.urlpatterns,
    *zhili.web.rulebook_paper.desk_pages,
    *zhili.web.whatif.desk_pages,
    *zhili.rulebook.desk.urlpatterns,
    *zhili.web.privacy_paper.desk_pages,
    *zhili.privacy.desk.urlpatterns,
    *zhili.privacy.desk_office.urlpatterns,
    *zhili.web.trail_desk.urlpatterns,
]
desk_pages += selfcheck_page.urlpatterns
open_pages: Pages = [
    *zhili.web.shop_paper.open_urlpatterns,
    *zhili.web.delegation_paper.open_urlpatterns,
    *zhili.places.open.urlpatterns,
    *zhili.shop.fair_pages.open_urlpatterns,
    *zhili.notices.open.urlpatterns,
    *zhili.honours.open.urlpatterns,
    *zhili.web.honour_paper.open_urlpatterns,
    *zhili.ledger.open.urlpatterns,
    *zhili.claims.open.urlpatterns,
    *zhili.shop.desk_prices.open_urlpatterns,
    *zhili.shop.desk_goods.open_urlpatterns,
    *zhili.shop.open_reconciling.urlpatterns,
    *zhili.web.notice_paper.urlpatterns,
    *zhili.web.open.urlpatterns,
    *zhili.web.promises.urlpatterns,
    *zhili.web.rulebook_paper.open_pages,
    *zhili.rulebook.open.urlpatterns,
    *zhili.web.privacy_paper.open_pages,
    *zhili.privacy.open.urlpatterns,
]

urlpatterns: Pages = [
    *zhili.web.home.urlpatterns,
    *zhili.web.accounts.urlpatterns,
    path("m/", include(phone_pages)),
    path("desk/", include(desk_pages)),
    path("open/", include(open_pages)),
    path("health", health.health, name="health"),
    path("metrics", metrics.page, name="metrics"),
    path("api/v1/", api.urls),
    re_path(r"^api/", nothing_here),
]

handler400 = "zhili.web.home.bad_request"
handler403 = "zhili.web.home.forbidden"
handler404 = "zhili.web.home.not_found"
handler500 = "zhili.web.home.server_error"
