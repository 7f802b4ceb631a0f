"""The "no" about a spreadsheet: the file as a whole, or one of its rows.

Constructing a `Reason` registers it; `reasons` imports this module, so that the catalogue is whole. Knows words
only, and is imported by the child process that reads files: it must not bring more than that with it.
"""

# ruff: noqa: E501 - whole sentences stay whole, for readers and translators
from __future__ import annotations

from bot.domain.reason import Reason

# --- the file as a whole ------------------------------------------------------------------------------------
FILE_TOO_BIG = Reason(
    "usage.file-too-big",
    "The file is too big",
    "It has {size}; I take files of up to {most}, so that one file cannot keep me from everybody else.",
    "Split it, and send the parts one after another.",
)
FILE_KIND = Reason(
    "usage.file-kind",
    "I cannot read this kind of file",
    "It is {found}. I read Excel workbooks (.xlsx) and text with columns (.csv), and look at what is inside, not at the name.",
    "Save it as .xlsx or .csv, or use the template: type `bulk`",
)
FILE_RENAMED = Reason(
    "usage.file-renamed",
    "The file is not what its name says",
    "The name ends in .{ending}, but inside is {found}. Somebody renamed it, or it was damaged on the way.",
    "Open it in the program that made it and save it as .xlsx or .csv.",
)
FILE_MACROS = Reason(
    "usage.file-macros",
    "The file holds macros",
    "A list of phone numbers needs no program inside, and I open nothing that carries one.",
    "Save it as an Excel workbook without macros (.xlsx).",
)
FILE_LOCKED = Reason(
    "usage.file-locked",
    "The file is encrypted, or of the old Excel format",
    "Files with a password and old .xls files look alike from outside; I can read neither.",
    "Take the password off, or save it as .xlsx or .csv.",
)
FILE_SWOLLEN = Reason(
    "usage.file-swollen",
    "The file would unpack to too much",
    "{what}. Files like that are made to stop programs, so I did not unpack it.",
    "Copy your rows into the template and send that: type `bulk`",
)
FILE_BROKEN = Reason(
    "usage.file-broken",
    "The file cannot be read",
    "It is damaged, or was written in a way that I do not know: {what}.",
    "Open it, save it anew as .xlsx or .csv, and send that.",
)
FILE_ENCODING = Reason(
    "usage.file-encoding",
    "The letters of the file cannot be read",
    "It is neither UTF-8, UTF-16 nor Western European (Windows-1252), and names would come out wrong.",
    "In Excel, save it as “CSV UTF-8”, or as .xlsx.",
)
FILE_TOO_MUCH_WORK = Reason(
    "usage.file-too-much-work",
    "Reading the file takes too much",
    "It needed more than the {what} that a file may take.",
    "Copy your rows into the template and send that: type `bulk`",
)
FILE_TOO_MANY_ROWS = Reason(
    "usage.file-rows",
    "The file has too many rows",
    "I read up to {most} rows, and it has more. Rows that are empty but carry a format count too.",
    "Delete the empty rows below your list, or split the file.",
)
FILE_TOO_MANY_COLUMNS = Reason(
    "usage.file-columns",
    "The file has too many columns",
    "I look at the first {most} columns, and something stands beyond them.",
    "Delete what is not needed, or copy your rows into the template: type `bulk`",
)
FILE_EMPTY = Reason(
    "usage.file-empty",
    "There are no rows in the file",
    "I read the first sheet, and below its headings it holds nothing.",
    "Fill in at least one row, on the first sheet.",
)
FILE_HEADINGS = Reason(
    "usage.file-headings",
    "A column is missing",
    "I looked for headings in the first {looked} rows and did not find: {missing}.",
    "Name the columns user, slot and number (reason and ticket if you like), or use the template: type `bulk`",
)
FILE_HEADING_TWICE = Reason(
    "usage.file-heading-twice",
    "Two columns mean the same",
    "Both “{first}” and “{second}” are headings of {column}, and I do not guess which one counts.",
    "Rename or delete one of them.",
)
FILE_HIDDEN = Reason(
    "usage.file-hidden",
    "Something in the file is hidden",
    "{what}. What is not seen in the file is not asked for.",
    "Show it or delete it, and send the file again.",
)

# --- one row ------------------------------------------------------------------------------------------------
ROW_HIDDEN = Reason(
    "usage.row-hidden",
    "The row is hidden in the file",
    "A filter or somebody hides it, so whoever looked at the file has not seen it.",
    "Show the row, or delete it.",
)
ROW_MERGED = Reason(
    "usage.row-merged",
    "Cells of the row are merged",
    "A merged cell holds one value for several rows or columns, and I do not guess for which.",
    "Split the cells and fill in each one.",
)
ROW_SHIFTED = Reason(
    "usage.row-shifted",
    "The row has more cells than there are headings",
    "A separator stands inside a text that is not quoted, so the columns may have moved.",
    "Put the text in quotes, or take the separator out.",
)
CELL_FORMULA = Reason(
    "usage.cell-formula",
    "The {column} is a formula",
    "What a formula shows depends on the program and the day; only values are read.",
    "Copy the cell and paste it as a value.",
)
CELL_ERROR = Reason(
    "usage.cell-error",
    "The {column} shows an error of the spreadsheet",
    "It holds {shown} instead of a value.",
    "Type the value in again.",
)
CELL_TOO_LONG = Reason(
    "usage.cell-too-long",
    "The {column} is too long",
    "A {column} has at most {most} characters here.",
    "Shorten it.",
)
CELL_NOT_TEXT = Reason(
    "usage.cell-not-text",
    "The {column} was stored as a number, a date or yes/no",
    "The spreadsheet program has dropped what it took for decoration, such as zeros in front; what was typed cannot be told any more.",
    "Format the column as text and type the value in again.",
)
NUMBER_EXPONENT = Reason(
    "usage.number-exponent",
    "The spreadsheet has shortened the number",
    "It is written like 4.4E+11: digits are gone, and I do not guess them.",
    "Format the column as text and type the whole number in, with + and the country code.",
)
NUMBER_AS_NUMBER = Reason(
    "usage.number-as-number",
    "The phone number was stored as a quantity",
    "A spreadsheet drops the plus and zeros in front of a quantity, and rounds long ones; which of that happened cannot be told.",
    "Format the column as text and type the number in again, with + and the country code.",
)
NUMBER_NO_PLUS = Reason(
    "usage.number-no-plus",
    "The plus in front of the number is missing",
    "Spreadsheet programs take it away, and a zero in front as well. With other digits in front it is somebody else's number, so I do not add it.",
    "Type the number in again as text, with + and the country code.",
)
NUMBER_MASKED = Reason(
    "usage.number-masked",
    "The number is masked",
    "It comes from a file that I wrote, and those never hold a whole number.",
    "Type the whole number in, with + and the country code.",
)
