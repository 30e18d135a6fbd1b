"""核对账本：一个文件，不用安装，也不用相信记账的服务器。

用法（Python 3.8 以上，自带的就行）：

    python3 核对账本.py 导出的文件夹
    python3 核对账本.py 导出的文件夹 以前公布的指纹.jsonl
    python3 核对账本.py 导出的文件夹 --code 12 A1B2-C3D4      （公示榜上第 12 批的账本指纹）

它把导出的每一条流水重新算成指纹，一批接一批连起来，再把每个账户的余额、每个周期的合计、每次结账的余额
从流水重新加一遍。没有以前公布的指纹，看不出末尾是否被截掉、全部是否被重写过；有一个就看得出来。
结束时：0 账本完整，1 有地方不对，2 文件打不开或读不懂。

Stand-alone verifier of an export of the village's book (T-10): one file, standard library only, no database. The
formulas are those of SCHEMA.md beside the data; none of the server's code is used.
"""
# ruff: noqa: UP006, UP017, UP031, UP035, UP045, B905 - it must run on Python 3.8, found on old office computers.

from __future__ import annotations

import csv
import hashlib
import json
import sys
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Tuple

Hash = Callable[[bytes], bytes]
Row = Dict[str, str]
ZERO = "0" * 64
PROBLEMS_MAX = 20
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
FILES = {
    "accounts": "id place kind owner purse credits debits reserved may_go_negative opened_on closed_on seal",
    "batches": "id place seq previous_head root head algorithm count total posted_at period by_id note",
    "transfers": "id place seq index debit credit amount short code phase pending_of reverses occurred_on posted_at "
    "period late salt cause commitment leaf",
    "closes": "place period starts ends seq",
    "assertions": "place seq index account credits debits reserved",
    "totals": "account period place earned deducted spent expired adjusted",
}


class Unreadable(Exception):
    """文件打不开或读不懂。"""


# ---------------------------------------------------------------- digests


def sm3(data: bytes) -> bytes:
    """SM3（GB/T 32905-2016），按标准原文写；Python 自带的没有时用它。"""

    def turn(x: int, n: int) -> int:
        n %= 32
        return (x << n | x >> (32 - n)) & 0xFFFFFFFF

    state = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    padded = data + b"\x80" + bytes((55 - len(data)) % 64) + (8 * len(data)).to_bytes(8, "big")
    for start in range(0, len(padded), 64):
        w = [int.from_bytes(padded[start + i : start + i + 4], "big") for i in range(0, 64, 4)]
        for j in range(16, 68):
            x = w[j - 16] ^ w[j - 9] ^ turn(w[j - 3], 15)
            w.append(x ^ turn(x, 15) ^ turn(x, 23) ^ turn(w[j - 13], 7) ^ w[j - 6])
        a, b, c, d, e, f, g, h = state
        for j in range(64):
            constant = 0x79CC4519 if j < 16 else 0x7A879D8A
            first = turn((turn(a, 12) + e + turn(constant, j)) & 0xFFFFFFFF, 7)
            second = first ^ turn(a, 12)
            ff = a ^ b ^ c if j < 16 else a & b | a & c | b & c
            gg = e ^ f ^ g if j < 16 else e & f | ~e & 0xFFFFFFFF & g
            one = (ff + d + second + (w[j] ^ w[j + 4])) & 0xFFFFFFFF
            two = (gg + h + first + w[j]) & 0xFFFFFFFF
            a, b, c, d, e, f, g, h = (
                one,
                a,
                turn(b, 9),
                c,
                two ^ turn(two, 9) ^ turn(two, 17),
                e,
                turn(f, 19),
                g,
            )
        state = [x ^ y for x, y in zip(state, (a, b, c, d, e, f, g, h))]
    return b"".join(x.to_bytes(4, "big") for x in state)


def hash_of(algorithm: str) -> Optional[Hash]:
    """批次所写的摘要算法；不认识的给 None。"""
    if algorithm == "sha256":
        return lambda data: hashlib.sha256(data).digest()
    if algorithm == "sm3":
        try:
            hashlib.new("sm3", b"")
        except ValueError:
            return sm3
        return lambda data: hashlib.new("sm3", data).digest()
    return None


def merkle_root(hash_: Hash, leaves: List[bytes]) -> bytes:
    """RFC 6962 的树：两两合并，落单的直接上一层。"""
    if not leaves:
        return hash_(b"")
    level = leaves
    while len(level) > 1:
        odd = [level[-1]] if len(level) % 2 else []
        level = [hash_(b"\x01" + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)] + odd
    return level[0]


def days(text: str) -> str:
    return str((date.fromisoformat(text) - date(2000, 1, 1)).days) if text else ""


def moment(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def first_half_uuid(text: str) -> str:
    """SHA-256 的前一半写成编号的样子。"""
    found = hashlib.sha256(text.encode()).hexdigest()[:32]
    return "-".join((found[:8], found[8:12], found[12:16], found[16:20], found[20:]))


# ---------------------------------------------------------------- reading


def rows(folder: Path, name: str) -> Iterator[Row]:
    """一个 CSV 文件的各行；列名必须和说明一样。"""
    path = folder / (name + ".csv")
    wanted = FILES[name].split()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            if next(reader, None) != wanted:
                raise Unreadable("%s 的第一行不是应有的列名" % path.name)
            for number, values in enumerate(reader, 2):
                if len(values) != len(wanted):
                    raise Unreadable("%s 第 %d 行的列数不对" % (path.name, number))
                yield dict(zip(wanted, values))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Unreadable("%s 打不开：%s" % (path.name, error)) from error


def read_anchors(path: Path) -> List[Tuple[str, int, str]]:
    """以前公布的指纹，每行一个：{"place": …, "seq": …, "head": …}。"""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable("指纹文件打不开：%s" % error) from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                known = json.loads(line)
                place, seq, head = str(known["place"]), int(known["seq"]), str(known["head"]).lower()
            except (ValueError, KeyError, TypeError) as error:
                raise Unreadable("指纹文件第 %d 行读不懂" % number) from error
            if len(head) < 10:
                raise Unreadable("指纹文件第 %d 行的指纹太短，至少 10 位" % number)
            found.append((place, seq, head))
    return found


def poster_code(text: str) -> str:
    """公示榜上的八个字符 → 指纹的前十位。"""
    clean = "".join(letter for letter in text.upper() if letter not in " -")
    clean = clean.replace("O", "0").replace("I", "1").replace("L", "1")
    if len(clean) != 8 or any(letter not in CROCKFORD for letter in clean):
        raise Unreadable("公示榜上的账本指纹是八个字符，例如 A1B2-C3D4")
    number = 0
    for letter in clean:
        number = number << 5 | CROCKFORD.index(letter)
    return "%010x" % number


# ---------------------------------------------------------------- checking


class Check:
    """一次核对：到目前为止看到了什么，哪里不对。"""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: List[Tuple[int, str]] = []
        self.place = ""
        self.transfers = 0
        self.batches: Dict[int, Row] = {}
        self.heads: Dict[int, str] = {}
        self.accounts: Dict[str, Row] = {}
        # account → [credits, debits, reserved]; (account, period) → [earned, deducted, spent, expired, plus, minus]
        self.sides: Dict[str, List[int]] = {}
        self.sums: Dict[Tuple[str, str], List[int]] = {}
        # Only what later lines may point at: id → (seq, phase, amount, short, debit, credit)
        self.seen: Dict[str, Tuple[int, str, int, int, str, str]] = {}
        self.pointed: Dict[str, str] = {}
        self.closes: Dict[int, Row] = {}
        self.asserted: Dict[int, List[Row]] = {}

    def say(self, seq: int, text: str) -> None:
        self.problems.append((seq, text))

    def run(self) -> None:
        self.read()
        by_seq = self.lines()
        head, last = ZERO, 0
        pending = next(by_seq, None)
        for seq in sorted(self.batches):
            if seq != last + 1:
                self.say(last + 1, "缺第 %d 批" % (last + 1))
            while pending is not None and pending[0] < seq:
                self.say(pending[0], "第 %d 批：流水在，批次不在" % pending[0])
                pending = next(by_seq, None)
            here: List[Row] = []
            if pending is not None and pending[0] == seq:
                here, pending = pending[1], next(by_seq, None)
            head = self.batch(seq, here, head)
            last = seq
        while pending is not None:
            self.say(pending[0], "第 %d 批：流水在，批次不在" % pending[0])
            pending = next(by_seq, None)
        self.balances()

    def read(self) -> None:
        for row in rows(self.folder, "batches"):
            self.place = self.place or row["place"]
            seq = int(row["seq"])
            if seq in self.batches or seq < 1:
                self.say(seq, "第 %d 批出现了两次，或批次号小于 1" % seq)
            self.batches[seq] = row
        if not self.batches:
            raise Unreadable("batches.csv 里一批也没有")
        for row in rows(self.folder, "closes"):
            self.closes[int(row["seq"])] = row
        for row in rows(self.folder, "assertions"):
            self.asserted.setdefault(int(row["seq"]), []).append(row)
        for seq in sorted(set(self.asserted) - set(self.closes)):
            self.say(seq, "第 %d 批：有结账余额，没有结账" % seq)
        for row in rows(self.folder, "accounts"):
            self.accounts[row["id"]] = row
            text = "zhili-account/1|%(place)s|%(kind)s|%(owner)s|%(purse)s" % row
            seal = "zhili-seal/1|%s|%s|%s|%s" % (
                row["id"], row["may_go_negative"], days(row["opened_on"]), days(row["closed_on"]))  # fmt: skip
            if first_half_uuid(text) != row["id"]:
                self.say(0, "账户 %(id)s：编号与户、存折、类别对不上" % row)
            elif hashlib.sha256(seal.encode()).hexdigest() != row["seal"]:
                self.say(0, "账户 %(id)s：开户、销户日期或可为负的设置被改过" % row)

    def lines(self) -> Iterator[Tuple[int, List[Row]]]:
        """流水按批分开；文件必须按批次和序号排好。"""
        current: Optional[int] = None
        gathered: List[Row] = []
        for row in rows(self.folder, "transfers"):
            seq = int(row["seq"])
            if current is not None and seq != current:
                yield current, gathered
                gathered = []
                if seq < current:
                    self.say(seq, "流水 %(id)s：次序乱了，第 %(seq)s 批的流水不在一起" % row)
            current = seq
            gathered.append(row)
        if current is not None:
            yield current, gathered

    def batch(self, seq: int, here: List[Row], previous: str) -> str:
        """核对一批，返回它的指纹。"""
        row = self.batches[seq]
        where = "第 %d 批" % seq
        hash_ = hash_of(row["algorithm"])
        if hash_ is None:
            self.say(seq, "%s：没有“%s”这种摘要算法" % (where, row["algorithm"]))
            return row["head"]
        if row["place"] != self.place or row["id"] != first_half_uuid(
            "zhili-batch-id/1|%s|%d" % (self.place, seq)
        ):
            self.say(seq, "%s：批次编号不对" % where)
        if row["previous_head"] != previous:
            self.say(seq, "%s：与上一批的账本指纹接不上" % where)
        bad = len(self.problems)
        leaves = [self.line(seq, number, t, hash_) for number, t in enumerate(here, 1)]
        if not here:
            leaves = self.closing(seq, hash_)
        if merkle_root(hash_, leaves).hex() != row["root"] and len(self.problems) == bad:
            self.say(seq, "%s：流水（或结账余额）与树根对不上，有的被删、被加、被换过" % where)
        total = sum(int(t["amount"]) for t in here)
        if (len(here), total) != (int(row["count"]), int(row["total"])):
            self.say(seq, "%s：笔数或金额合计与流水对不上" % where)
        text = "zhili-batch/1|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s" % (
            row["place"], row["seq"], row["previous_head"], row["root"], row["algorithm"], row["count"], row["total"],
            moment(row["posted_at"]), row["period"], row["by_id"], hashlib.sha256(row["note"].encode()).hexdigest(),
        )  # fmt: skip
        head = hash_(b"\x02" + text.encode()).hex()
        if head != row["head"]:
            self.say(seq, "%s：账本指纹与内容对不上" % where)
        self.heads[seq] = head
        return row["head"]

    def line(self, seq: int, number: int, t: Row, hash_: Hash) -> bytes:
        """一条流水：算它的封签和指纹，记下它动了哪些账户。"""
        self.transfers += 1
        where = "第 %d 批第 %d 笔（%s）" % (seq, number, t["id"])
        seal = hash_(b"\x03" + bytes.fromhex(t["salt"]) + t["cause"].encode()).hex()
        fields = [t["place"], t["seq"], t["index"], t["id"], t["debit"], t["credit"], t["amount"], t["short"], t["code"],
                  t["phase"], t["pending_of"], t["reverses"]]  # fmt: skip
        fields += [days(t["occurred_on"]), moment(t["posted_at"]), t["period"], t["late"], t["commitment"]]
        leaf = hash_(b"\x00" + ("zhili-transfer/1|" + "|".join(fields)).encode())
        if seal != t["commitment"]:
            self.say(seq, "%s：依据或盐与封签对不上" % where)
        if leaf.hex() != t["leaf"]:
            self.say(seq, "%s：内容与流水指纹对不上" % where)
        if int(t["index"]) != number:
            self.say(seq, "%s：次序不对，写着第 %s 笔" % (where, t["index"]))
        if t["id"] in self.seen:
            self.say(seq, "%s：这个编号前面已经有一笔" % where)
        self.points_at(seq, where, t)
        self.move(t)
        return leaf

    def points_at(self, seq: int, where: str, t: Row) -> None:
        """冲正和了结所指的那一笔，必须在前面、只指一次、对得上。"""
        amount, short = int(t["amount"]), int(t["short"])
        for name in ("reverses", "pending_of"):
            other = self.seen.get(t[name])
            if t[name]:
                fits = other is not None and other[0] < seq and self.pointed.get(name + t[name]) is None
                if fits and other and name == "reverses":
                    fits = (
                        other[1] in ("posted", "settled")
                        and other[2] == amount + short
                        and other[5] == t["debit"]
                    )
                elif fits and other:
                    fits = other[1:3] == ("pending", amount) and other[4:] == (t["debit"], t["credit"])
                if not fits:
                    self.say(seq, "%s：冲正或了结所指的流水不存在，或对不上" % where)
                self.pointed[name + t[name]] = t["id"]
        self.seen[t["id"]] = (seq, t["phase"], amount, short, t["debit"], t["credit"])

    def move(self, t: Row) -> None:
        amount, phase = int(t["amount"]), t["phase"]
        giver = self.sides.setdefault(t["debit"], [0, 0, 0])
        if phase in ("posted", "settled"):
            self.sides.setdefault(t["credit"], [0, 0, 0])[0] += amount
            giver[1] += amount
            for account, plus in ((t["credit"], amount), (t["debit"], -amount)):
                if amount:
                    sums = self.sums.setdefault((account, t["period"]), [0, 0, 0, 0, 0])
                    sums[4] += plus
                    if plus > 0 and t["code"] in ("award", "opening"):
                        sums[0] += plus
                    elif plus < 0 and t["code"] in ("deduct", "redeem", "expire"):
                        sums[("deduct", "redeem", "expire").index(t["code"]) + 1] -= plus
        if phase == "pending":
            giver[2] += amount
        elif phase in ("settled", "voided"):
            giver[2] -= amount

    def closing(self, seq: int, hash_: Hash) -> List[bytes]:
        """没有流水的一批是结账：每个账户当时的两边，既在树里，也要等于到那时为止的流水合计。"""
        close = self.closes.get(seq)
        if close is None or close["period"] != self.batches[seq]["period"]:
            self.say(seq, "第 %d 批：没有流水，也不是结账" % seq)
            return []
        leaves = []
        for a in self.asserted.get(seq, []):
            text = "zhili-assertion/1|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s" % (
                a["place"], a["seq"], a["index"], a["account"], a["credits"], a["debits"], a["reserved"],
                close["period"], days(close["starts"]), days(close["ends"]))  # fmt: skip
            leaves.append(hash_(b"\x00" + text.encode()))
            if [int(a["credits"]), int(a["debits"]), int(a["reserved"])] != self.sides.get(
                a["account"], [0, 0, 0]
            ):
                self.say(
                    seq, "结账 %s：账户 %s 的余额与当时的流水合计对不上" % (close["period"], a["account"])
                )
        return leaves

    def balances(self) -> None:
        """账户余额和周期合计，从流水重新加出来。"""
        for seq in sorted(set(self.closes) - set(self.batches)):
            self.say(seq, "结账 %s：没有对应的批次" % self.closes[seq]["period"])
        for id in sorted(set(self.accounts) | set(self.sides)):
            row = self.accounts.get(id)
            if row is None:
                self.say(0, "账户 %s：流水里有，账户表里没有" % id)
            elif [int(row["credits"]), int(row["debits"]), int(row["reserved"])] != self.sides.get(
                id, [0, 0, 0]
            ):
                self.say(0, "账户 %s：余额与流水合计对不上" % id)
        stored = {}
        for row in rows(self.folder, "totals"):
            stored[row["account"], row["period"]] = [
                int(row[name]) for name in ("earned", "deducted", "spent", "expired", "adjusted")
            ]
        wanted = {}
        for key, (earned, deducted, spent, expired, net) in self.sums.items():
            if self.accounts.get(key[0], {}).get("kind") == "holder":
                wanted[key] = [earned, deducted, spent, expired, net - earned + deducted + spent + expired]
        for key in sorted(set(stored) | set(wanted)):
            if stored.get(key) != wanted.get(key):
                self.say(0, "账户 %s 周期 %s：合计与流水对不上" % key)

    def anchors(self, found: List[Tuple[str, int, str]]) -> int:
        """与以前公布的指纹比；返回比了几个。"""
        ours = [one for one in found if one[0] == self.place]
        for _, seq, head in ours:
            if seq not in self.heads:
                self.say(seq, "以前公布过第 %d 批的指纹，导出里没有这一批：末尾被截掉了" % seq)
            elif not self.heads[seq].startswith(head):
                self.say(seq, "第 %d 批的指纹与以前公布的不同：这一批或更早的账被改写过" % seq)
        return len(ours)


def main(arguments: List[str]) -> int:
    """核对，用中文说结果。"""
    if not arguments or arguments[0] in ("-h", "--help"):
        print((__doc__ or "").split("Stand-alone")[0].strip())
        return 2
    check = Check(Path(arguments[0]))
    anchors: List[Tuple[str, int, str]] = []
    try:
        rest = arguments[1:]
        codes = []
        while rest:
            if rest[0] == "--code":
                if len(rest) < 3 or not rest[1].isdigit():
                    raise Unreadable("--code 后面写批次号和公示榜上的八个字符")
                codes.append((int(rest[1]), poster_code(rest[2])))
                rest = rest[3:]
            else:
                anchors += read_anchors(Path(rest[0]))
                rest = rest[1:]
        check.run()
        anchors += [(check.place, seq, head) for seq, head in codes]
        compared = check.anchors(anchors)
    except Unreadable as error:
        print("没有核对成：%s" % error)
        return 2
    except (ValueError, KeyError) as error:
        print("不对：文件里有读不懂的数字、日期或指纹（%s）" % error)
        return 1
    latest = max(check.heads, default=0)
    print(
        "核对了 %s：%d 批、%d 笔流水、%d 个账户。"
        % (check.place, len(check.batches), check.transfers, len(check.accounts))
    )
    if latest:
        print("第 %d 批的账本指纹：%s" % (latest, check.heads[latest]))
    for _, text in sorted(check.problems, key=lambda one: one[0] or 10**18)[:PROBLEMS_MAX]:
        print("不对：" + text)
    if check.problems:
        print("账本有 %d 处不对。请拿着这一页问村监督委员会或乡镇。" % len(check.problems))
        return 1
    if compared:
        print("账本完整，和以前公布的 %d 个指纹一致。" % compared)
    else:
        print("账本自己对得上。没有拿以前公布的指纹来比，看不出末尾是否被截掉、全部是否被重写过。")
    return 0


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    sys.exit(main(sys.argv[1:]))
