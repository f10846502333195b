"""A deterministic reader of Spanish and English requests: word lists and patterns, no network, no key.

It reads what people write to a repair business in Argentina well enough to open a job, says nothing where it is not
sure, and gives the same answer for the same text every time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from attrs import frozen

from core.messaging import Understanding

LONGEST: Final = 4096
"""Characters that are read; WhatsApp sends no more in one message."""

TRADES: Final[Mapping[str, tuple[str, ...]]] = {
    "aire_acondicionado": (
        r"aires? acondicionados?",
        r"splits?",
        r"acondicionador(es)?",
        r"air ?con(ditioner|ditioning)?s?",
        r"a/?c",
    ),
    "refrigeracion": (r"heladeras?", r"freezers?", r"refrigeracion", r"refrigerador(es)?", r"fridges?", r"camara fria"),
    "lavarropas": (r"lavarr?opas?", r"lavadoras?", r"secarropas?", r"washing machines?", r"washers?", r"dryers?"),
    "gasista": (
        r"gasistas?",
        r"(?:perdida|fuga|escape|olor)(?: de| a)? gas",
        r"gas leak",
        r"calefon(es)?",
        r"termotan(que|ques)",
        r"calderas?",
        r"boilers?",
        r"water heaters?",
    ),
    "plomeria": (
        r"plomer(ia|o|os)",
        r"canerias?",
        r"canos?",
        r"canillas?",
        r"cloacas?",
        r"desagues?",
        r"inodoros?",
        r"perdida de agua",
        r"pierde agua",
        r"plumb(er|ers|ing)",
        r"pipes?",
        r"taps?",
        r"faucets?",
        r"toilets?",
        r"water leak",
    ),
    "electricidad": (
        r"electri[cs]istas?",
        r"electricidad",
        r"enchufes?",
        r"cables?",
        r"cableado",
        r"termicas?",
        r"disyuntor(es)?",
        r"cortocircuitos?",
        r"tableros? electricos?",
        r"sin luz",
        r"electricians?",
        r"wiring",
        r"sockets?",
        r"power outage",
    ),
    "cerrajeria": (r"cerrajer(ia|o|os)", r"cerraduras?", r"locksmiths?", r"locked out"),
}
WEAK: Final[Mapping[str, tuple[str, ...]]] = {
    "aire_acondicionado": (r"(?<!buenos )aires?",),
    "gasista": (r"gas", r"estufas?", r"cocinas?"),
    "cerrajeria": (r"llaves?", r"locks?"),
}
"""Words that tell a trade only where no other word does: a kitchen has taps, an air conditioner gas."""
_ORDER: Final = tuple(
    (trade, re.compile(r"\b(?:" + "|".join(words) + r")\b")) for trade, words in (*TRADES.items(), *WEAK.items())
)

_ASK: Final = re.compile(
    r"\b(necesit\w{0,8}|precis[oa]\w{0,4}|quier[oe]\w{0,4}|quisiera|busco|pued\w{1,4}|podr\w{1,5}|vengan|venir|manden|mandar"
    r"|arregl\w{1,6}|instal\w{1,6}|repar\w{1,6}|revis\w{1,6}|cambiar|urgente|emergencia"
    r"|no (?:anda|funciona|prende|enfria|calienta|arranca|enciende)"
    r"|se (?:rompio|corto|tapo|quemo)|pierde|gotea|tecnicos?|service|need|want|fix"
    r"|repair|install|broken|leaking|not working|doesn t work|send someone|technician)\b"
)
_PRICE: Final = re.compile(
    r"\b(cuanto (?:sale|cuesta|vale|cobran|es|seria)|cuanto|precios?|presupuestos?|cuesta|cobran"
    r"|tarifas?|how much|price|quote|cost)\b"
)
_GREETING: Final = re.compile(
    r"^(hola|buen(?:[oa]s?)?(?: dias?| tardes?| noches?)?|que tal|hi|hello|hey|good (?:morning|afternoon|evening))\b"
)
_EMERGENCY: Final = re.compile(
    r"\b(emergencias?|emergency|(?:perdida|fuga|escape|olor)(?: de| a)? gas|gas leak"
    r"|smells? (?:of|like) gas|inunda\w{0,6}|flood\w{0,4}|incendio|fuego|chispas?|humo|sparks?|smoke)\b"
)
_DENIED: Final = re.compile(
    r"\b((?:no (?:es|hay)|sin|ninguna)(?: una?| ninguna?| tanta)? (?:urgente|urgencia|emergencia)"
    r"|not (?:urgent|an emergency)|(?:ahora|hoy) no|no (?:puedo )?(?:ahora|hoy))\b"
)
"""What somebody says it is not: taken away before urgency and day are read."""
_URGENT: Final = re.compile(
    r"\b(urgente|urgencia|urge|ya mismo|lo antes posible|cuanto antes|ahora(?: mismo)?|rapido|urgent|asap|right now)\b"
)

# Each message begins with a capital, and messages are joined: "soy Ana" "Necesito ..." is no Ana Necesito.
_OPENING: Final = (
    r"(?!(?:Hola|Buen|Buenas|Buenos(?= [Dd])|Necesit\w+|Precis\w+|Quier\w+|Quisiera|Busco|Tengo|Vivo|Estoy|Soy"
    r"|Podr\w+|Pod[ée]s|Pued\w+|Ma[ñn]ana|Hoy|Urgente|Cu[áa]nto|Mi|Me|Se|No|En|Por|Para|Un|Una|Gracias|Hi|Hello|My|I|The|Can|Please)\b)"
)
_CAPITAL: Final = _OPENING + r"[A-ZÁÉÍÓÚÑÜ][\w'áéíóúñüÁÉÍÓÚÑÜ]{0,24}"
_STREET_NAME: Final = (
    r"(?:(?:de|del|la|las|los|el|y|\d{1,2}|[A-Za-zÁÉÍÓÚÑÜáéíóúñü][\w'.áéíóúñüÁÉÍÓÚÑÜ]{0,24})\s){0,4}"
    r"[A-Za-zÁÉÍÓÚÑÜáéíóúñü0-9][\w'.áéíóúñüÁÉÍÓÚÑÜ]{0,24}"
)
_FURTHER: Final = (
    r"(?:,?\s(?:piso\s\w{1,3}|\d{1,2}[°º]\s?\w?"
    r"|(?:depto|dpto|departamento|apt|apartment|unit|timbre|local|of|oficina)\.?\s\w{1,4})){0,3}"
)
_ADDRESS: Final = (
    # Av. Corrientes 1234, calle San Martín 450 piso 3 depto B
    re.compile(
        r"\b(?i:av(?:\.|da\.?|enida)?|calle|pasaje|pje\.?|boulevard|bv\.?|diagonal|ruta)\s"
        + _STREET_NAME
        + r"\s(?:al\s|n[°º]\s?|nro\.?\s)?\d{2,5}\b"
        + _FURTHER
    ),
    # 123 Main Street
    re.compile(
        rf"\b\d{{1,5}}\s(?:{_CAPITAL}\s){{1,3}}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd)\b\.?{_FURTHER}"
    ),
    # en Gorriti 4500, vivo en Bulnes 1020 3° B
    re.compile(rf"\b(?:en|vivo en|at|in)\s((?:{_CAPITAL}\s(?:de\s|del\s|la\s)?){{1,4}}(?:al\s)?\d{{2,5}}\b{_FURTHER})"),
    # esquina de Mitre y Belgrano, en Mitre y Belgrano
    re.compile(
        rf"\b(?:en|esquina(?: de)?|at|corner of)\s"
        rf"((?:{_CAPITAL}\s){{1,3}}(?:y|e|esq\.?|esquina|and)\s{_CAPITAL}(?:\s{_CAPITAL})?)"
    ),
    # Mitre y Belgrano, alone between stops
    re.compile(
        rf"(?:^|[.,:;]\s)((?:{_CAPITAL}\s){{1,3}}(?:y|e|esq\.?|esquina)\s{_CAPITAL}(?:\s{_CAPITAL})?)(?=$|[.,;])"
    ),
    # Gorriti 4500
    re.compile(rf"\b(?:{_CAPITAL}\s){{1,3}}(?:al\s)?\d{{3,5}}\b{_FURTHER}"),
)

_WEEKDAYS: Final = {
    "lunes": 0,
    "martes": 1,
    "miercoles": 2,
    "jueves": 3,
    "viernes": 4,
    "sabado": 5,
    "domingo": 6,
    "monday": 0,
    "tuesday": 1,
    "wednesday": 2,
    "thursday": 3,
    "friday": 4,
    "saturday": 5,
    "sunday": 6,
}
_WEEKDAY: Final = re.compile(r"\b(" + "|".join(_WEEKDAYS) + r")s?\b")
# 25/11, 25-11-26, el 25-11; a bare 9-12 are hours
_DATE: Final = re.compile(
    r"\b(?:(?=\d{1,2}/|\d{1,2}-\d{1,2}-\d)|(?<=el )(?=\d))(\d{1,2})[/-](\d{1,2})(?:[/-](\d{4}|\d{2}))?\b"
)
_DAY_OF: Final = re.compile(
    r"\b(\d{1,2}) de (enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre)\b"
)
_MONTHS: Final = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
]
_MORNING: Final = re.compile(
    r"\b((?:a|por|de|en) la manana|esta manana|a primera hora|temprano|mediodia|(?:in the |tomorrow |this )?morning)\b"
)
_AFTERNOON: Final = re.compile(r"\b((?:a|por|de|en) la tarde|esta tarde|tarde|(?:in the |this |tomorrow )?afternoon)\b")
_NIGHT: Final = re.compile(r"\b((?:a|por|de|en) la noche|esta noche|noche|tonight|(?:in the |this )?evening)\b")
_GREETINGS_OF_THE_DAY: Final = re.compile(
    r"\b(buen(?:os|as) (?:dias|tardes|noches)|good (?:morning|afternoon|evening|night))\b"
)
_TOMORROW: Final = re.compile(r"\b(?<!la )manana\b|\btomorrow\b")
_AFTER_TOMORROW: Final = re.compile(r"\b(pasado manana|day after tomorrow)\b")
_TODAY: Final = re.compile(r"\b(hoy|today|tonight|esta (?:manana|tarde|noche)|this (?:morning|afternoon|evening))\b")

_NAME: Final = re.compile(
    rf"\b(?:[Ss]oy|[Mm]e llamo|[Mm]i nombre es|[Hh]abla|[Mm]y name is|[Tt]his is|I'm|I am)\s"
    rf"({_CAPITAL}(?:\s(?!(?:El|La|Los|Las)\b)(?:(?:de|del|la|los|las)\s){{0,2}}{_CAPITAL}){{0,2}})"
)


@frozen
class SpanishExtractor:
    """`core.messaging.ports.LanguageModel` without a model."""

    async def understand(self, text: str, *, today: date) -> Understanding:
        """Return what the text asks for; time is linear in its length."""
        return extract(text, today=today)


def extract(text: str, *, today: date) -> Understanding:
    """Return what the text asks for; a pure function of its arguments."""
    read = " ".join(text[:LONGEST].split())
    plain = _folded(read)
    trade = next((name for name, pattern in _ORDER if pattern.search(plain)), None)
    undenied = _DENIED.sub(" ", plain)
    emergency = _EMERGENCY.search(undenied) is not None
    asks = _ASK.search(plain) is not None or emergency
    prices = _PRICE.search(plain) is not None
    if prices and not re.search(r"\b(necesit\w*|manden|vengan|need|send)\b", plain):
        intent = "ask_price"
    elif asks:
        intent = "request_tech"
    elif _GREETING.search(plain) and len(plain.split()) <= 4:  # noqa: PLR2004 - more than a greeting says something
        intent = "greeting"
    else:
        intent = "request_tech" if trade else "other"
    return Understanding(
        intent=intent,
        trade=trade or ("otros" if intent == "request_tech" else None),
        address=_address(read),
        day=_day(undenied, today),
        part_of_day=_part_of_day(plain),
        urgency="emergencia" if emergency else "urgente" if _URGENT.search(undenied) else "normal",
        customer_name=_name(read),
    )


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.lower())
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return re.sub(r"[^a-z0-9/ -]", " ", plain).replace("  ", " ")


def _address(text: str) -> str | None:
    for pattern in _ADDRESS:
        found = pattern.search(text)
        if found:
            return (found.group(1) if pattern.groups else found.group()).strip(" ,.")
    return None


def _name(text: str) -> str | None:
    found = _NAME.search(text)
    return found.group(1) if found else None


def _part_of_day(plain: str) -> str | None:
    without_greeting = _GREETINGS_OF_THE_DAY.sub(" ", plain)
    for part, pattern in (("mañana", _MORNING), ("tarde", _AFTERNOON), ("noche", _NIGHT)):
        if pattern.search(without_greeting):
            return part
    return None


def _day(plain: str, today: date) -> date | None:
    if _AFTER_TOMORROW.search(plain):
        return today + timedelta(days=2)
    named = _DAY_OF.search(plain)
    if named:
        return _next(today, day=int(named.group(1)), month=_MONTHS.index(named.group(2)) + 1, year=None)
    written = _DATE.search(plain)
    if written:
        year = written.group(3)
        full = None if year is None else int(year) + (2000 if len(year) == 2 else 0)  # noqa: PLR2004 - two digits
        return _next(today, day=int(written.group(1)), month=int(written.group(2)), year=full)
    if _TODAY.search(plain):
        return today
    if _TOMORROW.search(plain):
        return today + timedelta(days=1)
    weekday = _WEEKDAY.search(plain)
    if weekday:
        ahead = (_WEEKDAYS[weekday.group(1)] - today.weekday()) % 7
        return today + timedelta(days=ahead or 7)
    return None


def _next(today: date, *, day: int, month: int, year: int | None) -> date | None:
    """Return the day in the year said, or else the next one there is; None if there is none within a year."""
    for candidate in (year,) if year is not None else (today.year, today.year + 1):
        try:
            found = date(candidate, month, day)
        except ValueError:
            continue
        if today <= found <= today + timedelta(days=366):
            return found
    return None
