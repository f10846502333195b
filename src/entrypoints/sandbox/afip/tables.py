"""WSFEv1's parameter tables, as much of them as the sandbox works with; ids and names are AFIP's."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

TYPES: Final = {
    1: "Factura A",
    2: "Nota de Débito A",
    3: "Nota de Crédito A",
    4: "Recibos A",
    6: "Factura B",
    7: "Nota de Débito B",
    8: "Nota de Crédito B",
    9: "Recibos B",
    11: "Factura C",
    12: "Nota de Débito C",
    13: "Nota de Crédito C",
    15: "Recibo C",
    51: "Factura A con leyenda",
    52: "Nota de Débito A con leyenda",
    53: "Nota de Crédito A con leyenda",
    54: "Recibo A con leyenda",
    201: "Factura de Crédito electrónica MiPyMEs (FCE) A",
    202: "Nota de Débito electrónica MiPyMEs (FCE) A",
    203: "Nota de Crédito electrónica MiPyMEs (FCE) A",
    206: "Factura de Crédito electrónica MiPyMEs (FCE) B",
    207: "Nota de Débito electrónica MiPyMEs (FCE) B",
    208: "Nota de Crédito electrónica MiPyMEs (FCE) B",
    211: "Factura de Crédito electrónica MiPyMEs (FCE) C",
    212: "Nota de Débito electrónica MiPyMEs (FCE) C",
    213: "Nota de Crédito electrónica MiPyMEs (FCE) C",
}
CLASS_OF: Final = {
    **dict.fromkeys((1, 2, 3, 4, 201, 202, 203), "A"),
    **dict.fromkeys((6, 7, 8, 9, 206, 207, 208), "B"),
    **dict.fromkeys((11, 12, 13, 15, 211, 212, 213), "C"),
    **dict.fromkeys((51, 52, 53, 54), "ALEY"),
}
FCE_INVOICES: Final = frozenset({201, 206, 211})
FCE_NOTES: Final = frozenset({202, 203, 207, 208, 212, 213})
DEBITS: Final = frozenset({2, 7, 12, 52, 202, 207, 212})
CREDITS: Final = frozenset({3, 8, 13, 53, 203, 208, 213})
NOTES: Final = DEBITS | CREDITS
ASSOCIATED: Final = {
    **dict.fromkeys((2, 3), frozenset({1, 2, 3, 4, 51, 52, 53, 54})),
    **dict.fromkeys((7, 8), frozenset({6, 7, 8, 9})),
    **dict.fromkeys((12, 13), frozenset({11, 12, 13, 15})),
    **dict.fromkeys((52, 53), frozenset({1, 2, 3, 51, 52, 53, 54})),
    **dict.fromkeys((202, 203), frozenset({201, 202, 203})),
    **dict.fromkeys((207, 208), frozenset({206, 207, 208})),
    **dict.fromkeys((212, 213), frozenset({211, 212, 213})),
}
CONCEPTS: Final = {1: "Producto", 2: "Servicios", 3: "Productos y Servicios"}
RATES: Final = {
    3: Decimal(0),
    4: Decimal("10.5"),
    5: Decimal(21),
    6: Decimal(27),
    8: Decimal(5),
    9: Decimal("2.5"),
}
_PROVINCES: Final = (
    "Policía Federal",
    "Buenos Aires",
    "Catamarca",
    "Córdoba",
    "Corrientes",
    "Entre Ríos",
    "Jujuy",
    "Mendoza",
    "La Rioja",
    "Salta",
    "San Juan",
    "San Luis",
    "Santa Fe",
    "Santiago del Estero",
    "Tucumán",
    "",
    "Chaco",
    "Chubut",
    "Formosa",
    "Misiones",
    "Neuquén",
    "La Pampa",
    "Río Negro",
    "Santa Cruz",
    "Tierra del Fuego",
)
DOCUMENTS: Final = {
    80: "CUIT",
    86: "CUIL",
    87: "CDI",
    89: "LE",
    90: "LC",
    91: "CI Extranjera",
    92: "en trámite",
    93: "Acta Nacimiento",
    94: "Pasaporte",
    95: "CI Bs. As. RNP",
    96: "DNI",
    99: "Doc. (Otro)",
    **{id_: f"CI {name}" for id_, name in enumerate(_PROVINCES) if name},
}
CURRENCIES: Final = {
    "PES": "Pesos Argentinos",
    "DOL": "Dólar Estadounidense",
    "060": "Euro",
    "012": "Real",
    "011": "Pesos Uruguayos",
    "033": "Peso Chileno",
    "021": "Libra Esterlina",
    "009": "Franco Suizo",
    "010": "Pesos Mejicanos",
    "018": "Dólar Canadiense",
    "019": "Yens",
    "029": "Güaraní",
    "031": "Peso Boliviano",
    "032": "Peso Colombiano",
    "035": "Nuevo Sol Peruano",
    "064": "Yuan (Rep. Pop. China)",
}
TRIBUTES: Final = {
    1: "Impuestos nacionales",
    2: "Impuestos provinciales",
    3: "Impuestos municipales",
    4: "Impuestos Internos",
    5: "IIBB",
    6: "Percepción de IVA",
    7: "Percepción de IIBB",
    8: "Percepciones por Impuestos Municipales",
    9: "Otras Percepciones",
    13: "Percepción de IVA a no Categorizado",
    99: "Otro",
}
OPTIONALS: Final = {
    "2101": "FCE - CBU del Emisor",
    "2102": "FCE - Alias del Emisor",
    "22": "FCE - Anulación",
    "23": "FCE - Referencia Comercial",
    "27": "FCE - Transferencia",
}
COUNTRIES: Final = {
    200: "Argentina",
    202: "Bolivia",
    203: "Brasil",
    208: "Chile",
    212: "Estados Unidos",
    221: "Paraguay",
    225: "Uruguay",
}
CONDITIONS: Final = {
    1: ("IVA Responsable Inscripto", "A"),
    4: ("IVA Sujeto Exento", "B"),
    5: ("Consumidor Final", "B"),
    6: ("Responsable Monotributo", "A"),
    7: ("Sujeto No Categorizado", "B"),
    8: ("Proveedor del Exterior", "B"),
    9: ("Cliente del Exterior", "B"),
    10: ("IVA Liberado - Ley N° 19.640", "B"),
    13: ("Monotributista Social", "A"),
    15: ("IVA No Alcanzado", "B"),
    16: ("Monotributo Trabajador Independiente Promovido", "A"),
}
"""Of the receiver, each with the letter that it goes with; all go with C."""
SIMPLE_REGIME: Final = frozenset({6, 13, 16})

LISTS: Final[Mapping[str, tuple[str, Mapping[Any, str]]]] = {
    "FEParamGetTiposCbte": ("CbteTipo", TYPES),
    "FEParamGetTiposConcepto": ("ConceptoTipo", CONCEPTS),
    "FEParamGetTiposDoc": ("DocTipo", DOCUMENTS),
    "FEParamGetTiposIva": ("IvaTipo", {id_: f"{rate}%" for id_, rate in RATES.items()}),
    "FEParamGetTiposMonedas": ("Moneda", CURRENCIES),
    "FEParamGetTiposTributos": ("TributoTipo", TRIBUTES),
    "FEParamGetTiposOpcional": ("OpcionalTipo", OPTIONALS),
    "FEParamGetTiposPaises": ("PaisTipo", COUNTRIES),
}


def classes_of(condition: int) -> tuple[str, ...]:
    """Return the classes of voucher that a receiver's condition goes with, as FEParamGetCondicionIvaReceptor names them."""
    first = ("A", "ALEY") if CONDITIONS[condition][1] == "A" else ("B",)
    return (*first, "C", *(("49",) if condition == 5 else ()))
