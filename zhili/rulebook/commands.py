"""zhili rulebook check and score: the red lines and the calculator on files, without a database."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhili.common.errors import ZhiliError

if TYPE_CHECKING:
    from zhili.rulebook.book import RuleBook
    from zhili.rulebook.redlines import Report

FILE_BYTES_MAX = 200_000_000
VERDICTS = {"block": "阻断", "legal_review": "需法审", "warn": "提醒", "ok": "通过"}


def add(subparsers: Any) -> None:
    """Register `rulebook check` and `rulebook score`."""
    room = subparsers.add_parser("rulebook", help="积分细则：红线检查、试算")
    verbs = room.add_subparsers(dest="verb", required=True, metavar="动作")
    check = verbs.add_parser("check", help="检查格式和红线；有阻断时退出码为 1")
    check.add_argument("file", type=Path)
    check.add_argument("--adopted-on", type=date.fromisoformat, help="表决日期，用来检查是否追溯既往 (RL-11)")
    check.add_argument("--json", action="store_true")
    check.set_defaults(run=run_check)
    score = verbs.add_parser("score", help="用细则给事件表算分")
    score.add_argument("file", type=Path)
    score.add_argument("events", type=Path)
    score.add_argument("--json", action="store_true")
    score.set_defaults(run=run_score)


def read_book(path: Path) -> RuleBook:
    """A rule book from YAML or Excel, by the file's ending."""
    from zhili.rulebook.book_yaml import load_yaml
    from zhili.rulebook.workbook import load_workbook

    data = read_file(path)
    return load_workbook(data, path.name) if path.suffix.lower() == ".xlsx" else load_yaml(data, path.name)


def read_file(path: Path) -> bytes:
    """The bytes of a file, or a sentence saying why not."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ZhiliError(f"文件 {path.name} 太大，超过 {FILE_BYTES_MAX // 1_000_000} MB。")
        return path.read_bytes()
    except FileNotFoundError:
        raise ZhiliError(f"找不到文件 {path}，请检查路径。") from None
    except OSError as error:
        raise ZhiliError(f"读不了文件 {path}：{error.strerror}。") from None


def run_check(options: argparse.Namespace) -> int:
    """Print each item's verdict; 1 where anything is blocked, or where the file cannot be read."""
    from zhili.rulebook.redlines import check_book, report_json

    report = check_book(read_book(options.file), today=options.adopted_on)
    if options.json:
        json.dump(report_json(report), sys.stdout, ensure_ascii=False, indent=1)
        print()
    else:
        print_report(report)
    return 1 if report.blocked else 0


def print_report(report: Report) -> None:
    """The report in words, worst findings with their article and a suggested rewrite."""
    from zhili.rulebook.redlines import report_json

    document = report_json(report)
    for item in document["items"]:
        print(f"{item['code']:<8} {VERDICTS[item['verdict']]}")
        for line in item["lines"]:
            print(f"    {line['id']}  依据：{line['basis']}\n        建议：{line['suggestion']}")
    book = document.get("book", {})
    if book.get("lines"):
        print("整本细则")
        for line in book["lines"]:
            print(f"    {line['id']}  依据：{line['basis']}\n        建议：{line['suggestion']}")
    print(f"共 {len(document['items'])} 项，阻断 {document['blocked']} 处。")


def run_score(options: argparse.Namespace) -> int:
    """Print what each event is awarded and why, and the totals."""
    from zhili.rulebook.calculator import score
    from zhili.rulebook.facts import read_events, result_json

    book = read_book(options.file)
    document = result_json(score(book, read_events(read_file(options.events), options.events.name)))
    if options.json:
        json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
        print()
        return 0
    for event in document["events"]:
        print(f"{event['event']}  {event['awarded']} 分  （{'；'.join(event['why'])}）")
    for total in document["totals"]:
        print(f"{total['account']}  {total['period']}  {total['purse']}  {total['points']} 分")
    return 0
