"""Every write of this room, by name. Other rooms call `privacy.actions.record_sharing`."""

from __future__ import annotations

from zhili.privacy.breach import open_incident as open_incident
from zhili.privacy.breach import record_pack as record_pack
from zhili.privacy.erasing import erase as erase
from zhili.privacy.golive import approve_assessment as approve_assessment
from zhili.privacy.golive import save_assessment as save_assessment
from zhili.privacy.minors import make_report as make_report
from zhili.privacy.minors import report_to as report_to
from zhili.privacy.mydata import hand_out as hand_out
from zhili.privacy.notice import mark_read as mark_read
from zhili.privacy.requests import answer as answer
from zhili.privacy.requests import approve_erasure as approve_erasure
from zhili.privacy.requests import ask as ask
from zhili.privacy.requests import cancel as cancel
from zhili.privacy.requests import extend as extend
from zhili.privacy.requests import prepare_erasure as prepare_erasure
from zhili.privacy.requests import record_export as record_export
from zhili.privacy.requests import refuse as refuse
from zhili.privacy.requests import send_back as send_back
from zhili.privacy.sharing import add_recipient as add_recipient
from zhili.privacy.sharing import end_recipient as end_recipient
from zhili.privacy.sharing import record_sharing as record_sharing
