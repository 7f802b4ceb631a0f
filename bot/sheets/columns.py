"""Headings: which column holds what, by their names in several languages.

Knows words. Must not know cells below the headings. A heading that is not listed is not guessed at.
"""

# ruff: noqa: E501 - one line a language
from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from bot.domain import sheet_reasons
from bot.sheets.caps import Unfit

#: In the order in which our own files have them.
COLUMNS = ("user", "slot", "number", "reason", "ticket")
REQUIRED = COLUMNS[:3]

_WORDS: Mapping[str, str] = {
    "user": """
        user, username, user name, upn, user principal name, login, account, person, who, employee, name, e-mail, email,
        mail, email address, employee id, object id, userprincipalname,
        benutzer, benutzername, nutzer, anmeldename, konto, mitarbeiter, person, personalnummer, e-mail-adresse,
        utilisateur, nom d'utilisateur, identifiant, compte, employé, collaborateur, courriel, adresse e-mail,
        usuario, nombre de usuario, cuenta, empleado, correo, correo electrónico,
        utente, nome utente, dipendente, posta elettronica, usuário, nome de usuário, utilizador, funcionário,
        gebruiker, gebruikersnaam, medewerker, użytkownik, nazwa użytkownika, pracownik, uživatel,
        användare, användarnamn, bruger, brugernavn, bruker, brukernavn, käyttäjä, käyttäjätunnus,
        ユーザー, ユーザー名, 用户, 用户名, 사용자, пользователь, kullanıcı""",
    "slot": """
        slot, phone type, type, kind, phonetype, phone slot, method,
        typ, art, telefonart, telefontyp, rufnummernart, anschlussart,
        type de téléphone, type de numéro, tipo, tipo de teléfono, tipo di telefono, tipo de telefone,
        soort, telefoontype, rodzaj, typ telefonu, telefontype, puhelimen tyyppi, tyyppi,
        種別, 電話の種類, 类型, 종류, тип, tür""",
    "number": """
        number, phone, phone number, telephone, telephone number, phone no, phonenumber, tel, new number,
        nummer, rufnummer, telefonnummer, telefon, telefon-nr., neue nummer,
        numéro, numéro de téléphone, téléphone, nº de téléphone, número, número de teléfono, teléfono,
        numero, numero di telefono, telefono, número de telefone, telefone,
        telefoonnummer, telefoon, numer, numer telefonu, telefonní číslo, číslo, telefonnummer, telefonnumre,
        puhelinnumero, puhelin, numero, 電話番号, 番号, 电话号码, 电话, 전화번호, номер, номер телефона, telefon numarası""",
    "reason": """
        reason, because, why, comment, note, remark, justification,
        grund, begründung, bemerkung, anmerkung, kommentar, raison, motif, commentaire, remarque,
        motivo, razón, comentario, nota, motivazione, commento, justificativa, reden, opmerking,
        powód, uwagi, důvod, poznámka, orsak, anledning, årsag, årsak, syy, 理由, 备注, 原因, 사유, причина, neden""",
    "ticket": """
        ticket, ticket id, ticket number, case, case id, incident, request, reference, ref,
        ticketnummer, vorgang, vorgangsnummer, fall, incident-nr., demande, référence, numéro de ticket,
        incidencia, solicitud, caso, referencia, richiesta, riferimento, chamado, zgłoszenie, referentie,
        ärende, sag, sak, tiketti, チケット, 工单, 티켓, заявка, talep""",
}


def plain(heading: str) -> str:
    """Letters and digits in lower case without accents: what counts of a heading."""
    split = unicodedata.normalize("NFKD", heading).casefold()
    return re.sub(r"[\W_]", "", "".join(sign for sign in split if not unicodedata.combining(sign)))


_MEANS = {
    plain(word): column for column, words in _WORDS.items() for word in words.replace("\n", " ").split(",")
}


def meaning(headings: Sequence[str]) -> dict[str, int]:
    """The place of each column that these headings name. Raises Unfit when two mean the same."""
    places: dict[str, int] = {}
    for place, heading in enumerate(headings):
        column = _MEANS.get(plain(heading))
        if column is None:
            continue
        if column in places:
            first = headings[places[column]]
            raise Unfit(
                sheet_reasons.FILE_HEADING_TWICE.refuse(
                    first=first.strip()[:40], second=heading.strip()[:40], column=column
                )
            )
        places[column] = place
    return places
