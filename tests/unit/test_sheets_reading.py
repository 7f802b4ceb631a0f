"""What a spreadsheet says: headings, encodings, separators, and numbers that a program has spoilt."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from bot.sheets.caps import Caps, Unfit
from bot.sheets.cells import Line
from bot.sheets.columns import _WORDS, plain
from bot.sheets.reading import read
from tests.unit.books import (
    ALICE,
    HEAD,
    SHEET,
    first,
    packed,
    parts,
    row_of,
    saved,
    sheet_of,
    workbook,
    xlsx,
)

SAMPLES = Path(__file__).parent / "samples" / "sheets"
CSV = "user,slot,number\r\nalice@contoso.com,mobile,+1 202 555 0123\r\n"
GERMAN = "Benutzer;Telefonart;Rufnummer;Begründung\r\nzoë@contoso.com;mobile;+49 30 901820;Gerät größer\r\n"


def lines(name: str, content: bytes, **caps: int) -> list[Line]:
    return read(name, content, Caps(**caps))


def refused(name: str, content: bytes, **caps: int) -> str:
    with pytest.raises(Unfit) as caught:
        read(name, content, Caps(**caps))
    return caught.value.refusal.code


def problem(cell: object, column: str = "number") -> str:
    """What a workbook says against a row with this cell, "" for nothing."""
    row: list[object] = list(ALICE)
    row[HEAD.index(column)] = cell
    found = lines("a.xlsx", xlsx([row]))[0].problem
    return found.code if found else ""


def csv_problem(number: str) -> str:
    found = lines("a.csv", f'user;slot;number\nalice;mobile;"{number}"\n'.encode())[0].problem
    return found.code if found else ""


def test_a_workbook_of_openpyxl_is_read_as_typed():
    """Texts come out as they were typed, with the line that a spreadsheet program shows beside them."""
    (line,) = lines("a.xlsx", xlsx())
    assert (line.number, line.texts, line.problem) == (2, ALICE, None)


def test_a_workbook_of_libreoffice_is_read_and_its_spoilt_number_found():
    """German headings, umlauts, and the number that Calc took for a quantity, named in its row."""
    found = lines("people.xlsx", (SAMPLES / "libreoffice.xlsx").read_bytes())
    assert [line.texts[0] for line in found] == [
        f"{n}@contoso.com" for n in ("alice", "bob", "carol", "dave")
    ]
    assert found[1].texts[3] == "Umzug; Raum 4, Süd"
    assert found[3].texts[1] == "alternate mobile"
    spoilt = [(line.number, line.problem.code) for line in found if line.problem]
    assert spoilt == [(4, "usage.number-as-number")]


def test_a_german_csv_of_libreoffice_is_read():
    """Semicolons, Windows-1252, a separator inside quotes."""
    found = lines("people.csv", (SAMPLES / "libreoffice-german.csv").read_bytes())
    assert found[1].texts == (
        "bob@contoso.com",
        "office",
        "+44 20 7946 0958",
        "Umzug; Raum 4, Süd",
        "INC1002",
    )
    assert [line.problem.code for line in found if line.problem] == ["usage.number-no-plus"]


def test_a_csv_as_german_excel_saves_it():
    """What Excel writes by "CSV (Trennzeichen-getrennt)": its own notation of a long number is found."""
    text = (
        "Benutzername;Telefonart;Rufnummer;Bemerkung;Ticket\r\n"
        "jürgen.groß@contoso.com;mobile;4,91512E+11;Gerät verloren;INC1\r\n"
        'anna@contoso.com;office;+49 30 901820;"sagt ""jetzt""; sofort";INC2\r\n'
        "\r\n"
        ";;;;\r\n"
    )
    found = lines("Mappe1.csv", text.encode("cp1252"))
    assert [(line.number, line.texts[0]) for line in found] == [
        (2, "jürgen.groß@contoso.com"),
        (3, "anna@contoso.com"),
    ]
    assert found[0].problem is not None
    assert found[0].problem.code == "usage.number-exponent"
    assert found[1].texts[3] == 'sagt "jetzt"; sofort'


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_letters_come_out_right_in_every_encoding(encoding: str):
    """UTF-8 and UTF-16 with and without their marks, and Windows-1252."""
    (line,) = lines("a.csv", GERMAN.encode(encoding))
    assert line.texts == ("zoë@contoso.com", "mobile", "+49 30 901820", "Gerät größer", "")


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_the_separator_is_found_by_the_headings(separator: str):
    """Titles above the headings, and other separators inside quotes, do not lead astray."""
    rows = [["List, of; phones"], ["user", "slot", "number"], ['"a;b,c|d"', "mobile", "+1 202 555 0123"]]
    (line,) = lines("a.csv", "\n".join(separator.join(row) for row in rows).encode())
    assert line.texts[0] == "a;b,c|d"
    assert line.number == 3


def test_excels_own_word_about_the_separator_counts():
    """`sep=` in front is no row, in Excel neither."""
    assert lines("a.csv", b"sep=|\r\n" + CSV.replace(",", "|").encode())[0].number == 2


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("4.4E+11", "usage.number-exponent"),
        ("4,4E+11", "usage.number-exponent"),
        ("4.41234567890E11", "usage.number-exponent"),
        ("12025550123", "usage.number-no-plus"),
        ("0171 2345678", "usage.number-no-plus"),
        ("(202) 555-0123", ""),
        ("12025550123.0", "usage.number-as-number"),
        ("12025550123,00", "usage.number-as-number"),
        ("+1 •••••• 23", "usage.number-masked"),
        ("#ZAHL!", "usage.cell-error"),
        ("########", "usage.cell-error"),
        ("=+12025550123", "usage.cell-formula"),
        ("+1 202 555 0123", ""),
        ("'+12025550123", ""),
        ("+1 202 555 0123 x45", ""),
        ("", ""),
    ],
)
def test_spoilt_numbers_in_text_are_named(number: str, code: str):
    """Each way in which a program spoils a number has its own reason; others judge what is wrong."""
    assert csv_problem(number) == code


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        (12025550123, "usage.number-as-number"),
        (4.4e11, "usage.number-as-number"),
        (2025550123.5, "usage.cell-not-text"),
        (date(2026, 3, 1), "usage.cell-not-text"),
        (True, "usage.cell-not-text"),
        ("=1+1", "usage.cell-formula"),
        ("#REF!", "usage.cell-error"),
        ("4.4E+11", "usage.number-exponent"),
        ("+1 202 555 0123", ""),
    ],
)
def test_spoilt_numbers_in_a_workbook_are_named(cell: object, code: str):
    """Quantities, dates and formulas are no phone numbers, whatever they show."""
    assert problem(cell) == code


def test_a_user_that_was_stored_as_a_quantity_is_not_taken():
    """An employee id may have lost its zeros, and then it is somebody else's."""
    assert problem(4711, "user") == "usage.cell-not-text"
    assert problem(4711, "ticket") == ""


def test_an_apostrophe_in_front_of_the_plus_goes_and_nothing_else():
    """It only tells the program that this is text."""
    assert lines("a.csv", b"user,slot,number\na,mobile,'+1 202 555 0123\n")[0].texts[2] == "+1 202 555 0123"
    assert lines("a.csv", b"user,slot,number\n'a,mobile,+1 202 555 0123\n")[0].texts[0] == "'a"


def test_headings_in_other_languages_and_orders():
    """The columns may stand anywhere, with others between them."""
    for head in (
        "Nummer,Name,Abteilung,Typ",
        "Téléphone,Utilisateur,x,Type de téléphone",
        "電話番号,ユーザー,,種別",
        "NUMER TELEFONU,Pracownik,!,rodzaj",
        "e-mail,E_Mail,,",
    ):
        content = f"{head}\n+1 202 555 0123,alice,HR,mobile\n".encode()
        if head.startswith("e-mail"):
            assert refused("a.csv", content) == "usage.file-heading-twice"
        else:
            assert lines("a.csv", content)[0].texts[:3] == ("alice", "mobile", "+1 202 555 0123")


def test_no_heading_means_two_columns():
    """A word in two lists would be a guess."""
    seen: dict[str, str] = {}
    for column, words in _WORDS.items():
        for word in words.replace("\n", " ").split(","):
            assert seen.setdefault(plain(word), column) == column, word


def test_what_is_missing_is_named():
    """The nearest headings count, and the columns that they lack are said."""
    with pytest.raises(Unfit) as caught:
        read("a.csv", b"user,phone\nalice,+12025550123\n", Caps())
    assert dict(caught.value.refusal.facts)["missing"] == "slot"
    assert refused("a.csv", b"hello") == "usage.file-headings"
    assert refused("a.csv", b"") == "usage.file-headings"
    assert refused("a.csv", b"user,slot,number\n\n,,\n") == "usage.file-empty"


def test_remarks_and_empty_rows_are_not_rows():
    """So the example of the template may stay where it is."""
    content = CSV + "# carol,mobile,+1 202 555 0199\r\n,,\r\n" + "bob,office,+1 202 555 0188\r\n"
    assert [line.number for line in lines("a.csv", content.encode())] == [2, 5]


def test_hidden_and_merged_cells_are_named():
    """Whoever looked at the sheet has not seen a hidden row, and a merged cell has no row of its own."""
    book = workbook([ALICE, ALICE, ALICE, ALICE])
    sheet = first(book)
    sheet.row_dimensions[3].hidden = True
    sheet.merge_cells("B4:B5")
    codes = [line.problem.code if line.problem else "" for line in lines("a.xlsx", saved(book))]
    assert codes == ["", "usage.row-hidden", "usage.row-merged", "usage.row-merged"]
    sheet.column_dimensions["C"].hidden = True
    assert refused("a.xlsx", saved(book)) == "usage.file-hidden"


def test_a_hidden_first_sheet_is_refused_and_others_are_not_read():
    """The first sheet is the list; what stands on others plays no part."""
    book = workbook()
    other = book.create_sheet("Other")
    other.append(list(HEAD))
    other.append(["mallory@contoso.com", "mobile", "+1 202 555 0177"])
    assert len(lines("a.xlsx", saved(book))) == 1
    book.active = 1
    first(book).sheet_state = "hidden"
    assert refused("a.xlsx", saved(book)) == "usage.file-hidden"


def test_rows_that_may_have_shifted_are_named():
    """More cells than headings: a separator inside a text that is not quoted."""
    content = b"user,slot,number\nalice,mobile,+1 202 555 0123,and more\nbob,mobile,+1 202 555 0188,,\n"
    codes = [line.problem.code if line.problem else "" for line in lines("a.csv", content)]
    assert codes == ["usage.row-shifted", ""]


def test_a_quote_that_does_not_end_swallows_nothing_silently():
    """The rows behind it would be gone."""
    assert (
        refused("a.csv", (CSV + '"bob,mobile,+1 202 555 0188\r\ncarol,x,y').encode()) == "usage.file-broken"
    )


def test_texts_as_excel_stores_them():
    """In runs of different looks, with escapes, beside how Japanese is read aloud; half characters stay."""
    runs = "<r><t>ali</t></r><r><rPr><b/></rPr><t>ce_x0041_</t></r><rPh><t>hidden</t></rPh><t>_xD800_</t>"
    cells = "".join(f'<c t="inlineStr"><is>{each}</is></c>' for each in (runs, "<t>mobile</t>", "<t>+1</t>"))
    content = sheet_of(row_of(1, ("user", "slot", "number")) + f'<row r="4">{cells}</row>')
    (line,) = lines("a.xlsx", content)
    assert (line.number, line.texts[0]) == (4, "aliceA_xD800_")


def test_a_workbook_of_the_strict_kind_and_with_prefixes_is_read():
    """Excel's “Strict Open XML” has other namespaces, and some programs write every element with a prefix."""
    inside = parts(xlsx())
    sheet = inside[SHEET].decode()
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    strict = sheet.replace(space, "http://purl.oclc.org/ooxml/spreadsheetml/main")
    prefixed = re.sub(r"<(/?)([a-zA-Z])", r"<\1x:\2", sheet).replace("xmlns=", "xmlns:x=")
    for markup in (strict, prefixed):
        content = packed({**inside, SHEET: markup.encode()})
        assert lines("a.xlsx", content)[0].texts == ALICE


def test_a_cell_that_is_too_long_is_named_and_cut():
    """Nothing longer than its column goes on."""
    (line,) = lines("a.xlsx", xlsx([(*ALICE[:3], "x" * 32_000)]))
    assert line.problem is not None
    assert line.problem.code == "usage.cell-too-long"
    assert len(line.texts[3]) == 500
