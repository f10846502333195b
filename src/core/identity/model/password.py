"""What a password must be (NIST SP 800-63B, 3.1.1.2): long enough and not what everybody tries; nothing about its letters."""

from __future__ import annotations

import unicodedata
from typing import Final

from attrs import frozen

from core.kernel.errors import Invalid

_WORDS: Final = """
password passwort contrasena contraseña clave clave1 secreto secreta acceso entrar bienvenido bienvenida welcome letmein
admin administrador administrator usuario root login test prueba demo default changeme cambiame hola hello
cuadrilla cuadrillas tecnico tecnica tecnicos despacho dispatcher servicio servicios empresa trabajo trabajos oficina factura afip
whatsapp argentina buenosaires palermo rosario cordoba mendoza boca bocajuniors river riverplate racing independiente sanlorenzo
messi maradona diego lionel futbol football soccer baseball basketball campeon campeones mundial
iloveyou teamo tequiero amor amorcito princesa princess angel angelito corazon estrella familia mama papa hermosa hermoso
dragon monkey master shadow sunshine superman batman pokemon naruto starwars matrix michael jennifer jordan ashley daniel
jessica charlie andrew joshua thomas robert matthew nicole amanda carlos jorge maria mariana martin gonzalo fernando alejandro
sebastian valentina camila santiago mateo lautaro florencia agustina veronica patricia claudia andrea gabriel pablo
google facebook instagram samsung iphone android internet computer computadora sistema windows linux server
freedom flower hunter killer pepper ginger cookie summer winter spring autumn verano invierno otono primavera
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
lunes martes miercoles jueves viernes sabado domingo qwerty qwertyuiop asdf asdfgh asdfghjkl zxcvbn zxcvbnm
abc abcd abcdef abcdefg abcdefgh aaa aaaa aaaaaaaa
""".split()  # noqa: SIM905 - two hundred words are read more easily without their quotation marks
_ENDINGS: Final = (
    *("", "1", "12", "123", "1234", "12345", "123456", "12345678", "!", "1!", "123!", "01", "007", "10", "11", "69"),
    *("00", "000", "321", "2020", "2021", "2022", "2023", "2024", "2025", "2026", "2027", ".", "*", "@123", "@2026"),
)
_RUNS: Final = (
    "0123456789012345678901234567890",
    "9876543210987654321098765432109876543210",
    "abcdefghijklmnopqrstuvwxyz",
    "zyxwvutsrqponmlkjihgfedcba",
    "qwertyuiopasdfghjklñzxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "qazwsxedcrfvtgbyhnujmik",
    "q1w2e3r4t5y6u7i8o9p0",
    "zaq12wsxcde34rfvbgt56yhn",
)
"""Walks along the keyboard and the alphabet; every stretch of one is as common as the whole."""
_LEET: Final = str.maketrans("@4831!0$57", "aabeiiosst")


def _common() -> frozenset[str]:
    found = {word + ending for word in _WORDS for ending in _ENDINGS}
    found |= {word.translate(str.maketrans("aeios", "43105")) for word in _WORDS}
    found |= {letter * length for letter in "0123456789abcdefghijklmnopqrstuvwxyz" for length in range(6, 17)}
    found |= {pair * 4 for pair in ("12", "21", "69", "10", "ab", "qw", "as", "la", "ja", "xx")}
    found |= {run[start:end] for run in _RUNS for start in range(len(run)) for end in range(start + 8, len(run) + 1)}
    found |= {
        f"{day:02}{month:02}{year}" for day in (1, 15, 25, 31) for month in range(1, 13) for year in range(1970, 2027)
    }
    return frozenset(found)


_STEMS: Final = frozenset(_WORDS)
COMMON: Final = _common()
"""What lists of leaked passwords are full of, with our own names; in lower case."""


@frozen
class PasswordRules:
    """Lengths in characters, after normalisation."""

    shortest: int = 8
    longest: int = 128

    def accept(self, password: str, *, about: tuple[str, ...] = ()) -> str:
        """Return the password as it is hashed (NFKC); raise `Invalid` for one that is not to be chosen.

        `about` are words that anybody would try for this person: their address and their name.
        """
        given = self.read(password)
        if given is None or len(given) > self.longest:
            msg = f"a password has {self.longest} characters at most"
            raise Invalid(msg, field="password")
        if len(given) < self.shortest:
            msg = f"a password has {self.shortest} characters at least"
            raise Invalid(msg, field="password")
        plain = given.lower()
        own = {each.lower() for word in about for each in (word, word.partition("@")[0], word.replace(" ", "")) if each}
        stem = plain.rstrip("0123456789!.*@#").translate(_LEET)
        if plain in COMMON or plain.translate(_LEET) in COMMON or stem in _STEMS or plain in own:
            msg = "that password is one of those that are tried first; take another"
            raise Invalid(msg, field="password")
        return given

    def read(self, password: str) -> str | None:
        """Return the password as it is hashed, or None if it is too long to be anybody's; nothing long is worked on."""
        if len(password) > self.longest:
            return None
        given = unicodedata.normalize("NFKC", password)
        try:
            given.encode()
        except UnicodeEncodeError:  # half a character, as broken JSON can bring it
            return None
        return given
