"""Reading a clause of a rule book the way a township legal officer does: what is said, and which way it cuts.

A clause arrives as people type it: full-width digits, traditional characters, 信·访 with a dot inside, pinyin.
`read_clause` makes plain text of it, drops the sentences that protect the villager (不得因上访扣分), and decides
whether what is left takes something away (−1), gives something (+1) or leaves that open (0).

Pure Python, no Django. Nothing here knows a single red line; that is redline_words.py and redline_rules.py.
"""

# ruff: noqa: E501 -- long patterns stay in one piece, so that they can be read against the sentence they model
from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

TEXT_MAX: Final = 4000  # characters of one clause; what is longer is cut

_TRADITIONAL: Final = str.maketrans(
    "訪訴報舉鬧纏級網絡傳播發佈罰電斷證蓋點贊轉關註冊曝開個榜評優審黨軍參積獎買賣讓現換執養醫農補貼學徵償團離婚殘礙戶"
    "獨宗禮廚臥內衛檢查親屬債區縣鎮鄉號視頻聽誹謗謠惡虛無領導誌書記衝銷還給從與為於將沒終雙萬",
    "访诉报举闹缠级网络传播发布罚电断证盖点赞转关注册曝开个榜评优审党军参积奖买卖让现换执养医农补贴学征偿团离婚残碍户"
    "独宗礼厨卧内卫检查亲属债区县镇乡号视频听诽谤谣恶虚无领导志书记冲销还给从与为于将没终双万",
)
_INVISIBLE: Final = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_HAN: Final = "\u3400-\u9fff"
_BETWEEN: Final = re.compile(rf"(?<=[{_HAN}a-z])[·•・‧∙●○.\-_*~|/\\'`^+—–…=#@&]+(?=[{_HAN}a-z])")
_QUOTES: Final = re.compile(r"[\"“”‘’「」『』《》〈〉<>]")
_ONE_IN_BRACKETS: Final = re.compile(rf"[(【\[{{〔]([{_HAN}])[)】\]}}〕]")
_SPLIT_WORDS: Final = (
    (re.compile(r"(?<![通微短电诚相来写书])信[、，：]访(?![问谈])"), "信访"),
    (re.compile(r"上[、，：]访(?![问谈])"), "上访"),
    (re.compile(r"投[、，]诉"), "投诉"),
    (re.compile(r"举[、，]报"), "举报"),
)
_PINYIN: Final = (
    (re.compile(r"xin(?:fang|访)|信fang|xf(?=[局办件])"), "信访"),
    (re.compile(r"shang(?:fang|访)|上fang|上[坊仿]|尚访|伤访"), "上访"),
    (re.compile(r"ju(?:bao|报)|举bao"), "举报"),
    (re.compile(r"tou(?:su|诉)|投su"), "投诉"),
    (re.compile(r"di(?:bao)|低bao"), "低保"),
    (re.compile(r"fa(?:kuan)|罚kuan"), "罚款"),
    (re.compile(r"hei(?:bang)|黑bang"), "黑榜"),
)
_MARKS: Final = str.maketrans({",": "，", ";": "；", ":": "：", "!": "！", "?": "？", "｡": "。"})


def normalise(text: str) -> str:
    """Plain text: NFKC, lower case, simplified, no spaces, no dots or quotes inside words, Chinese marks."""
    plain = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text[:TEXT_MAX])).lower()
    plain = _INVISIBLE.sub("", plain).translate(_TRADITIONAL)
    plain = re.sub(r"[\r\n]+", "。", plain.strip())
    plain = _QUOTES.sub("", re.sub(r"\s+", "", plain))
    plain = _ONE_IN_BRACKETS.sub(r"\1", plain)
    plain = _BETWEEN.sub("", plain).translate(_MARKS)
    for pattern, word in (*_SPLIT_WORDS, *_PINYIN):
        plain = pattern.sub(word, plain)
    return plain


# --- which way the clause cuts ---------------------------------------------------------------------------

NUMBER: Final = r"[\d零一二两三四五六七八九十百千半几]+"
_TAKES: Final = re.compile(
    rf"倒?扣(?!子)|减{NUMBER}分|减分|减半|罚|取消|清零|归零|作废|一票否决|降(?:低|为|至|级|档|星|[a-z一二三]级|[a-z]级)"
    r"|降.{0,3}级|不予|不计分|不得(?:享|参评|参加评|评|兑)|停(?:发|办|供|止|水|电)|断(?:水|电)|暂停|收回|剥夺|通报(?!表扬|表彰|嘉奖)"
    r"|黑榜|黑名单|惩戒|追究|处罚|后果自负"
)
_GIVES: Final = re.compile(rf"加{NUMBER}?分|加{NUMBER}|奖励?{NUMBER}|[积得计记]{NUMBER}分|奖分|给予奖励")
_TAKES_POINTS: Final = re.compile(rf"扣分|倒?扣.{{0,3}}{NUMBER}分|减{NUMBER}分|减分")

# --- sentences that protect the villager -----------------------------------------------------------------

_STRONG: Final = r"(?:不得|严禁|禁止|不准|不许|不允许|不应|不能|不可|绝不|决不|无权)"
_MODAL: Final = rf"(?:{_STRONG}|不会|不再|不)"
_SANCTION: Final = r"(?:扣分|被扣|扣减|减分|扣其|扣积分|取消|停发|停办|影响|受到?影响|罚|追究|刁难|报复|歧视|区别对待|降低|剥夺|拒绝|限制)"
# Only these may stand between the prohibition and the village's act: 禁止乱倒垃圾罚款 forbids littering, not the fine.
_FILLER: Final = r"(?:得|设立?|搞|实行|进行|采取|组织|收取|以任何(?:方式|形式|名义)|任何|形式的?|对(?:村民|农户|任何人|群众)|将|村民|积分|私自|擅自|随意|任意|公开|强制|要求|个人|私下|用于|的|其){0,5}"
_VILLAGE_ACT: Final = (
    r"(?:罚款|罚金|停水|停电|断水|断电|黑榜|红黑榜|黑名单|曝光|点名|挂钩|抽奖|摸奖|买卖|转让|转赠|出售|交易|提现|折现|变现|兑换现金|兑付现金|现金|征信|失信|联合惩戒|追溯"
    r"|检讨|检查室内|进入室内|室内检查|入户检查|入室|扣减|公布扣分|扣分人?姓名|扣分(?:户|人)|姓名|连坐|连带|(?:村民)?(?:安装|下载|转发|打卡)|不予盖章"
    r"|作为[^。；]{0,20}(?:依据|条件|参考|理由))"
)
_PROTECTS: Final = tuple(
    re.compile(p)
    for p in (
        # 不得因上访扣分 · 严禁将低保与积分挂钩 · 不得对举报人打击报复
        rf"{_MODAL}因为?[^，。；：]{{0,24}}{_SANCTION}",
        rf"{_MODAL}因[^。；]{{0,24}}，(?:而|对其|予以)?(?:扣减其|扣其|取消其|对其扣分|予以扣分|歧视)",
        rf"{_MODAL}(?:将|把)[^，。；：]{{0,24}}(?:挂[钩勾]|作为|纳入|列入|列为|关联|捆绑)",
        rf"{_STRONG}以[^，。；：]{{0,20}}(?:为由|为条件|为前提|为理由)",
        rf"{_STRONG}对[^，。；：]{{0,10}}(?:人|者|村民|群众|农户)[^，。；：]{{0,6}}{_SANCTION}",
        # 村委会不得罚款、停水停电；本细则不设黑榜
        rf"{_STRONG}{_FILLER}{_VILLAGE_ACT}",
        r"不(?:再|会)?(?:设立?|搞|收取?|实行|公开|公布|采取|检查|进入|进行|组织|追溯|罚款|停水|断水|断电|曝光|点名|作为|提现|买卖|强制)"
        rf"{_FILLER}(?:{_VILLAGE_ACT}|[^，。；：]{{0,2}}(?:室内|屋内)|追溯|(?<=[款水电光名现卖]))",
        rf"{_STRONG}用积分[^，。；]{{0,12}}",
        r"不(?:得|能|再)?(?:作为|用作|当作)[^。；]{0,20}(?:依据|条件|参考|理由|门槛)",
        r"不(?:得)?以[^，。；]{0,16}(?:作为|为)[^，。；]{0,14}(?:条件|依据|前提|理由|门槛|参考)",
        r"(?:不|未)(?:与|和|同)[^，。；]{0,12}(?:挂[钩勾]|关联|联动)",
        # 对扣分有异议的可以申诉
        r"(?<!不)(?:可以|可|有权|应当受理|应予受理|依法享有)[^。；]{0,12}(?:申诉|申辩|复核|异议|反映|投诉|信访|举报|复议|起诉|监督)(?![^。；]{0,30}(?<!不)(?<!不得)(?:扣|罚|取消|减分|降))",
        r"(?:依法|切实|充分)?(?:保障|保护|维护|尊重|畅通)[^。；]{0,12}(?:申诉|信访|投诉|举报|反映|监督|检举|控告|诉求)[^，。；]{0,4}(?:权|渠道|自由|途径)(?![^。；]{0,30}(?<!不)(?<!不得)(?:扣|罚|取消|减分|降))",
    )
)
# A protection with a hole in it, or one that only looks like one, is none.
_UNDONE: Final = re.compile(
    r"违者|否则|除外|例外|除非|但(?!愿)|不过|然而|违反(?:者|的|本)|一经|一律扣|发现一次|不是不|并非不|不得不|不能不|的，(?:每次|一次)?扣|[扣罚减][^，。；]{0,3}\d|[扣罚][一二三四五六七八九十百千]|才能|方可|方能|就(?:停|断|罚|扣)"
)


def _protects(sentence: str) -> bool:
    return not _UNDONE.search(sentence) and any(p.search(sentence) for p in _PROTECTS)


@dataclass(frozen=True, slots=True)
class Reading:
    """A clause as read. text: what is left after protections, sentences joined by 。; sign: −1 takes, +1 gives,
    0 open; points: hundredths as given; unit: household or resident."""

    text: str
    sign: int
    points: int | None
    unit: str
    category: str

    def without(self, innocent: re.Pattern[str]) -> str:
        """The text with innocent phrases blanked out, so that their words are not taken for an act."""
        return innocent.sub("□", self.text)


def read_clause(
    text: str,
    points: int | None,
    *,
    effect: str = "",
    category: str = "",
    note: str = "",
    unit: str = "household",
) -> Reading:
    """Read one clause. points in hundredths, None or 0 where the clause only names an effect."""
    parts = (normalise(part) for part in (text, effect, note) if part)
    sentences = [s for part in parts for s in re.split(r"[。；！？]", part) if s]
    left = "。".join(s for s in sentences if not _protects(s))
    grouping = normalise(category)
    if points is not None and points < 0:
        sign = -1
    elif points:
        sign = -1 if _TAKES_POINTS.search(left) or re.search(r"扣分|减分|负面|惩戒", grouping) else 1
    else:
        sign = -1 if _TAKES.search(left) else 1 if _GIVES.search(left) else 0
    return Reading(left, sign, points or None, unit, grouping)
