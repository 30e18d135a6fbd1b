"""M-08, F-08, F-09: the scanner over finished artefacts of every kind: 100 leaks found in each, 100 clean texts let out."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
import xlsxwriter
from PIL import Image, PngImagePlugin
from pypdf import PdfWriter

from zhili.common.publication import MAX_PARTS, PublicationError, check_publication, scan_artefact
from zhili.common.tests.test_leaks import negatives, positives

ID = "11010519491231002X"


def html(text: str) -> bytes:
    return (
        f"<!doctype html><html><body><table><tr><td>1</td><td>{text}</td></tr></table></body></html>".encode()
    )


def as_json(text: str) -> bytes:
    return json.dumps({"lines": [{"text": text, "points": 200}]}).encode()


def xlsx(text: str) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    hidden = book.add_worksheet("藏")
    book.add_worksheet("面上").write_string(0, 0, "1001")
    hidden.write_string(3, 2, text)
    book.get_worksheet_by_name("面上").activate()
    hidden.hide()
    book.close()
    return out.getvalue()


KINDS = {"html": html, "json": as_json, "xlsx": xlsx}


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_leaks_are_blocked_in_every_kind_of_file(kind):
    """M-08, F-08: hidden sheet, table cell, escaped JSON."""
    cases = positives()
    assert len(cases) == 100
    missed = [
        (leak, text) for leak, text in cases
        if leak not in {one.leak.kind for one in scan_artefact(KINDS[kind](text), minors=["钱小宝"])}
        and leak != "minor"
    ]  # fmt: skip
    assert missed == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_clean_texts_go_out(kind):
    """M-08: place codes, digests, dates, sums, claim numbers are no leaks."""
    cases = negatives()
    assert len(cases) == 100
    for text in cases:
        data = KINDS[kind](text)
        assert check_publication(data, name=f"公示.{kind}") == data


@pytest.mark.parametrize(
    "page",
    [
        f'<img alt="{ID}" src="x.png">', f"<!-- {ID} -->", f'<a href="/open/?id={ID}">x</a>',
        f'<meta name="description" content="{ID}">', "<p>110105<b>19491231</b>002X</p>", f"<title>{ID}</title>",
        f"<script type='application/json'>[\"{ID}\"]</script>", "<p>&#49;10105194912310&#48;2X</p>",
        f"<p data-x='{ID}'></p>", "<td>1101 0519\n4912 3100 2X</td>",
    ],
)  # fmt: skip
def test_a_page_is_read_to_its_last_corner(page):
    """M-01: alternative texts, comments, links, scripts, entities, a number cut up by tags."""
    with pytest.raises(PublicationError):
        check_publication(page.encode())


def pdf(**parts) -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    if "title" in parts:
        writer.add_metadata({"/Title": parts["title"]})
    if "attachment" in parts:
        writer.add_attachment("list.txt", parts["attachment"].encode())
    if "link" in parts:
        writer.add_uri(0, parts["link"], [0, 0, 10, 10])
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize(
    "parts", [{"title": ID}, {"attachment": f"张三 {ID}"}, {"link": f"http://zhili.example/?id={ID}"}]
)
def test_pdf_properties_attachments_and_links_are_read(parts):
    """F-09."""
    assert check_publication(pdf(title="公示"))
    with pytest.raises(PublicationError):
        check_publication(pdf(**parts))


def test_the_text_of_a_picture_and_the_name_of_a_file_are_read():
    """M-01."""
    out, note = io.BytesIO(), PngImagePlugin.PngInfo()
    note.add_text("Comment", ID)
    Image.new("RGB", (20, 20)).save(out, "PNG", pnginfo=note)
    for data, name in ((out.getvalue(), "a.png"), (b"ok", f"{ID}.txt")):
        with pytest.raises(PublicationError):
            check_publication(data, name=name)


def test_the_refusal_names_the_line_and_not_the_number():
    """M-08."""
    with pytest.raises(PublicationError) as refused:
        check_publication(f"第一行\n第二行 {ID}\n第三行".encode())
    assert "第 2 行" in str(refused.value) and ID not in str(refused.value)


def test_what_cannot_be_read_is_not_published():
    """M-08: encrypted, broken, too large, too deep: a refusal, never a pass."""
    writer = PdfWriter()
    writer.add_blank_page(10, 10)
    writer.encrypt("geheim")
    locked, many = io.BytesIO(), io.BytesIO()
    writer.write(locked)
    with zipfile.ZipFile(many, "w") as box:
        for n in range(MAX_PARTS + 1):
            box.writestr(f"{n}.txt", "")
    deep = ("[" * 90 + "]" * 90).encode()
    for data in (
        locked.getvalue(),
        b"%PDF-1.7 broken",
        b"PK\x03\x04broken",
        many.getvalue(),
        deep,
        b"\xff\xfe\x00",
    ):
        with pytest.raises(PublicationError):
            check_publication(data)


def test_the_office_phone_may_stand_there():
    assert check_publication(html("电话 0818-5214321"), allowed=["08185214321"])
    with pytest.raises(PublicationError):
        check_publication(html("电话 0818-5214321"), allowed=["08185214322"])
