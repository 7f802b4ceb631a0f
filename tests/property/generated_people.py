"""Made-up words for people and numbers, hostile ones among them, and the small directory they are tried on.

Knows how to make words from a seed and how a directory compares them. Must not know the product's own rules:
`fits` and `Asked` are written a second time here, from the documents.
"""

from __future__ import annotations

import random
import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

import httpx
import phonenumbers

ROOT = "https://graph.example"
_OID = "11111111-1111-4111-8111-{:012d}"
_NAMES = (
    "Alice Anders|Alice|Anders", "Alicia Andersson|Alicia|Andersson", "Ng, Alice|Alice|Ng",
    "Bob Kim|Bob|Kim", "Seán O'Brien|Seán|O'Brien", "Sean OBrien|Sean|OBrien", "Sam Stone|Sam|Stone",
    "Müller, Jürgen|Jürgen|Müller", "Владимир Волков|Владимир|Волков", "Аlice Anders|Аlice|Anders",
    "李小龙|小龙|李", "محمد علي|محمد|علي", "שרה כהן|שרה|כהן", "Ελένη Παππά|Ελένη|Παππά",
    "अनिता शर्मा|अनिता|शर्मा", "สมชาย ใจดี|สมชาย|ใจดี", "🦊 Fox|🦊|Fox", "' or 1 eq 1|'|or",
    'Quo"te \\ Slash|Quo"te|Slash', "%2e%2e/admin|%2e|admin", "Renée & Co <b>|Renée|Co", "x|x|x",
    "12345|1|2", "Guest Partner|Guest|Partner", "José María Núñez|José|Núñez", "Łukasz Żak|Łukasz|Żak",
)  # fmt: skip
_UPNS = {0: "alice@contoso.example", 4: "s.o'brien@contoso.example", 21: "..@contoso.example"}
_UPNS |= {
    23: "guest_partner.example#EXT#@contoso.example",
    17: "a%2e@contoso.example",
    6: "$sam@contoso.example",
}
SCRIPTS = (
    (0x20, 0x7E), (0xA0, 0x24F), (0x250, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x6FF),
    (0x900, 0x97F), (0xE00, 0xE7F), (0x10A0, 0x10FF), (0x1E00, 0x206F), (0x20A0, 0x2BFF),
    (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFB00, 0xFB4F), (0xFE50, 0xFFEF),
    (0x1D400, 0x1D7FF), (0x1F100, 0x1F6FF), (0xE0000, 0xE01EF), (0, 0x1F), (0xD800, 0xDFFF),
)  # fmt: skip
_SNIPPETS = (
    "' or displayName ne '", "'", "''", '"', '\\"', "\\", "/", "/../", "..", "%2e%2e%2f", "%2F", "%00",
    "%27", "?", "#", "?$select=id", "&$top=999", "#EXT#", "$", "(", ")", "('", "')", ";", "=", "\n",
    "\r\nHost: evil", "\t", "\0", "\u200b", "\u202e", "\u2066", "\u200d", "\ufeff", "\u00ad", "@", "＠",
    "@contoso.example", " or ", "smtp:", "*", "{", "}", "<at>", "</at>", "`", "“", "”", "İ", "ß", "ſ",
    "\u212a", "ﬁ", "ａ", "а", "🦊", "e\u0301", "because", " for ", " to ",
)  # fmt: skip
_LOOKS = {
    "a": "аａ\U0001d41aɑ",
    "e": "еｅ",
    "i": "іｉı",
    "o": "оｏ0ο",
    "k": "\u212aκ",
    "s": "ſѕ",
    "c": "сⅽ",
    "l": "1Iｌ",
}
_WRITINGS = (
    " ",
    "-",
    ".",
    "/",
    " (",
    ") ",
    "\u00a0",
    "\u2011",
    "  ",
    "x",
    "\u200b",
    "ext ",
    "#",
    ";ext=",
    "0",
    "",
)
SAMPLES = [
    phonenumbers.format_number(sample, form)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    if (sample := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE))
    for form in range(4)
]


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the made-up directory."""

    oid: str
    name: str
    given: str
    surname: str
    upn: str
    mail: str
    employee: str

    def row(self) -> dict[str, object]:
        names = {"displayName": self.name, "userPrincipalName": self.upn, "mail": self.mail}
        return {"id": self.oid, **names, "employeeId": self.employee, "accountEnabled": True}


def _accounts() -> tuple[Account, ...]:
    made = []
    for n, line in enumerate(_NAMES):
        name, given, surname = line.split("|")
        upn = _UPNS.get(n, f"user{n}@contoso.example")
        made.append(
            Account(_OID.format(n), name, given, surname, upn, f"mail.{n}@contoso.example", str(1000 + n))
        )
    return tuple(made)


ACCOUNTS = _accounts()


def fits(account: Account, kind: str, value: str, *, exact: bool = False) -> bool:
    """Does the account fit the words: addresses and ids as a whole, names as a whole or by beginnings?"""
    wanted = value.strip().casefold()
    if kind == "oid":
        return wanted == account.oid
    if kind == "employee id":
        return wanted == account.employee
    if kind == "upn":
        return value.isascii() and wanted in (account.upn.casefold(), account.mail.casefold())
    if any(not ch.isascii() and ch not in "ªº" and _plainly(ch).isalnum() for ch in value):
        return False  # a Kelvin sign is no K, nor a long s an s
    if exact:
        return wanted == account.name.casefold()
    begins = any(n.casefold().startswith(wanted) for n in (account.name, account.given, account.surname))
    return begins or _search_fits(account, value)


def _plainly(ch: str) -> str:
    """The ASCII letters that a character stands for, "" for a character of its own."""
    plain = unicodedata.normalize("NFKC", ch)
    return plain if plain.isascii() else ""


def _search_fits(account: Account, term: str) -> bool:
    words = re.findall(r"\w+", account.name.casefold())
    parts = re.findall(r"\w+", term.casefold())
    return bool(parts) and all(any(word.startswith(part) for word in words) for part in parts)


# --- words ------------------------------------------------------------------------------------------------
class Maker:
    """Words from a seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    def name(self) -> str:
        """Anything that somebody could type, or paste, for a person."""
        dice = self.dice
        account = dice.choice(ACCOUNTS)
        text = dice.choice((account.name, account.given, account.surname, account.upn, account.mail))
        match dice.randrange(10):
            case 0:
                text = self.letters(dice.randrange(1, 30))
            case 1:
                text = f"{self.letters(dice.randrange(1, 12))}@contoso.example"
            case 2:
                text = account.employee if dice.random() < 0.5 else account.oid
            case 3:
                text = "".join(dice.choice(_SNIPPETS) for _ in range(dice.randrange(1, 8)))
            case 4:
                text = text[: dice.randrange(1, len(text) + 1)]
            case 5 if dice.random() < 0.05:
                text *= dice.randrange(10, 400)
            case _:
                pass
        for _ in range(dice.choice((0, 0, 0, 1, 1, 2))):
            text = self._spoilt(text)
        return f'"{text}"' if dice.random() < 0.1 else text

    def letters(self, length: int) -> str:
        low, high = self.dice.choice(SCRIPTS)
        return "".join(chr(self.dice.randint(low, high)) for _ in range(length))

    def _spoilt(self, text: str) -> str:
        dice = self.dice
        at = dice.randrange(len(text) + 1)
        match dice.randrange(4):
            case 0:
                return text[:at] + dice.choice(_SNIPPETS) + text[at:]
            case 1:
                looks = _LOOKS.get(text[at : at + 1].lower())
                return text[:at] + dice.choice(looks) + text[at + 1 :] if looks else text.swapcase()
            case 2:
                return text[:at] + self.letters(1) + text[at:]
            case _:
                return text[:at] + text[at + 1 :]

    def number(self) -> str:
        """A number of some country, in some writing, often broken."""
        dice = self.dice
        text = dice.choice(SAMPLES)
        for _ in range(dice.choice((0, 0, 0, 1, 2))):
            at = dice.randrange(len(text) + 1)
            text = text[:at] + dice.choice(_WRITINGS) + text[at + (dice.random() < 0.2) :]
        match dice.randrange(12):
            case 0:
                text = text.translate({48 + n: dice.choice((0x0660, 0xFF10, 0x0966)) + n for n in range(10)})
            case 1:
                text = self._spoilt(text)
            case 2:
                text = "+" + "".join(dice.choice("0123456789") for _ in range(dice.randrange(1, 40)))
            case _:
                pass
        return text

    def line(self) -> tuple[str, str]:
        """A typed line, and the number in it ("" = none)."""
        dice, name = self.dice, self.name()
        number = self.number() if dice.random() < 0.5 else ""
        slot = dice.choice(("mobile", "office", "alternate mobile", "home", ""))
        match dice.randrange(9):
            case 0 | 1 if number:
                return (
                    f"set {slot} for {name} to {number} because {dice.choice(('lost', number, name))}",
                    number,
                )
            case 2 if number:
                return f"check {name} {slot} {number}", number
            case 3 if number:
                return f"show {number}", number
            case 4 if number:
                return f"{name} {slot} {number}", number
            case 5:
                return f"remove {slot} for {name}", ""
            case 6:
                return f"enable sms sign-in for {name}", ""
            case 7:
                return f"swap {name}", ""
            case _:
                return f"show {name}", ""


# --- the directory ----------------------------------------------------------------------------------------
_LITERAL = r"'((?:[^']|'')*)'"
_FILTERS = {
    "upn": rf"userPrincipalName eq {_LITERAL} or mail eq {_LITERAL}"
    rf" or proxyAddresses/any\(p:p eq {_LITERAL}\)",
    "employee id": rf"employeeId eq {_LITERAL}",
    "exact": rf"displayName eq {_LITERAL}",
    "starts": rf"startswith\(displayName,{_LITERAL}\) or startswith\(givenName,{_LITERAL}\)"
    rf" or startswith\(surname,{_LITERAL}\)",
}
_FORMS = {kind: re.compile(form, re.DOTALL) for kind, form in _FILTERS.items()}
_SEARCH = re.compile(r'"displayName:((?:[^"\\]|\\["\\])*)"', re.DOTALL)
_PATH = re.compile(r"/v1\.0/users(?:/([A-Za-z0-9._~%-]+))?")
_ENCODED_UPN = re.compile(r"[A-Za-z0-9._'#!^~+-]+@[A-Za-z0-9.-]+")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class SmallDirectory:
    """Answers over HTTP, by its own reading of each address. asked: the values it read there."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.requests = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        """AssertionError for an address that is none of the known ones."""
        self.requests += 1
        path = request.url.raw_path.decode("ascii").partition("?")[0]
        known = _PATH.fullmatch(path)
        assert known, f"an unknown path {path!r}"
        assert (request.method, request.url.host, request.url.fragment) == ("GET", "graph.example", "")
        query = dict(request.url.params.multi_items())
        assert len(query) == len(request.url.params.multi_items()), "a parameter twice"
        if known[1]:
            return self._one(unquote(known[1]), set(query))
        known_sets = ({"$filter", "$select", "$top"}, {"$search", "$select", "$top", "$count"})
        assert set(query) in known_sets, set(query)
        assert query["$top"].isdigit()
        assert re.fullmatch(r"[A-Za-z,]+", query["$select"])
        found = self._searched(query["$search"]) if "$search" in query else self._filtered(query["$filter"])
        return httpx.Response(200, json={"value": [account.row() for account in found[: int(query["$top"])]]})

    def _one(self, key: str, query: set[str]) -> httpx.Response:
        assert query == {"$select"}
        assert _GUID.fullmatch(key) or _ENCODED_UPN.fullmatch(key), f"an unknown key {key!r}"
        self.asked.append(key)
        for account in ACCOUNTS:
            if key.casefold() in (account.oid, account.upn.casefold()):
                return httpx.Response(200, json=account.row())
        return httpx.Response(404, json={"error": {"code": "Request_ResourceNotFound", "message": "x"}})

    def _filtered(self, text: str) -> list[Account]:
        for kind, form in _FORMS.items():
            whole = form.fullmatch(text)
            if whole:
                literals = [literal.replace("''", "'") for literal in whole.groups()]
                if kind == "upn":
                    assert literals[2].startswith("smtp:"), text
                    literals[2] = literals[2][len("smtp:") :]
                values = set(literals)
                assert len(values) == 1, f"different literals in {text!r}"
                value = values.pop()
                self.asked.append(value)
                return [account for account in ACCOUNTS if self._meets(account, kind, value)]
        raise AssertionError(f"an unknown filter {text!r}")

    def _searched(self, text: str) -> list[Account]:
        whole = _SEARCH.fullmatch(text)
        assert whole, f"an unknown search {text!r}"
        term = re.sub(r"\\(.)", r"\1", whole[1])
        self.asked.append(term)
        return [account for account in ACCOUNTS if _search_fits(account, term)]

    def _meets(self, account: Account, kind: str, value: str) -> bool:
        wanted = value.casefold()
        if kind == "upn":
            wanted = unicodedata.normalize("NFKC", value).casefold()  # as a careless directory would
            return wanted in (account.upn.casefold(), account.mail.casefold())
        if kind == "employee id":
            return wanted == account.employee
        if kind == "exact":
            return wanted == account.name.casefold()
        return any(n.casefold().startswith(wanted) for n in (account.name, account.given, account.surname))
