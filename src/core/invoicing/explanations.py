"""What AFIP's codes mean and what to do about them, in Spanish, beside AFIP's own words (WSFEv1 manual; our summary)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import frozen


@frozen
class Explanation:
    """Our words for one of AFIP's codes."""

    meaning: str
    remedy: str


_WAIT: Final = "No hay nada que corregir: el sistema vuelve a preguntar solo hasta saber qué pasó."
_RECEIVER: Final = "Corrija los datos fiscales del cliente y vuelva a facturar."
_AMOUNTS: Final = "Revise los renglones; si no hay nada raro en ellos, avise al soporte con este código."
_SUPPORT: Final = "No debería ocurrir: avise al soporte con este código."
_NOTE: Final = "Emita la nota desde el comprobante original, sin cambiar sus datos."
_ISSUER: Final = "Revise con su contador la situación en ARCA; después vuelva a facturar."

_RATE: Final = "Controle la cotización con la publicada por ARCA para el día hábil anterior."

EXPLANATIONS: Final[Mapping[int, Explanation]] = {
    code: Explanation(meaning, remedy)
    for codes, meaning, remedy in (
        ((500, 501), "ARCA tuvo una falla interna y no se sabe si tomó el comprobante.", _WAIT),
        ((502,), "ARCA está procesando otro pedido del mismo emisor.", _WAIT),
        (
            (600, 601),
            "ARCA no acepta el permiso de acceso: está vencido o no incluye a este CUIT.",
            "Si se repite, revise el certificado y su relación con «Facturación Electrónica» en ARCA.",
        ),
        ((602,), "ARCA no tiene datos para lo consultado.", "Revise el punto de venta y el número."),
        ((10000,), "ARCA no autoriza al emisor a hacer comprobantes de esta clase.", _ISSUER),
        ((10001, 10002, 10003), "La cantidad de comprobantes del pedido no es válida.", _SUPPORT),
        (
            (10004, 10005, 11002),
            "El punto de venta no está habilitado para facturar por este medio.",
            "Dé de alta en ARCA un punto de venta «RECE» (web services) y anótelo en los datos fiscales.",
        ),
        ((10006, 10007), "El tipo de comprobante no es válido.", _SUPPORT),
        ((10008, 10010, 10011, 10012), "El número del comprobante no es válido.", _SUPPORT),
        ((10013,), "Una factura A se hace a un CUIT.", "Anote el CUIT del cliente y vuelva a facturar."),
        (
            (10014, 10015),
            "Falta identificar al receptor, o su documento no existe en el padrón.",
            "Anote un DNI, CUIL o CUIT correcto del cliente y vuelva a facturar.",
        ),
        (
            (10016,),
            "El número no es el siguiente de la serie, o la fecha está fuera de plazo o es anterior a la del último comprobante.",
            "Vuelva a facturar: el sistema toma el número que sigue. Si eligió la fecha, use la de hoy.",
        ),
        (
            (10017, 10063),
            "El receptor no figura activo como responsable inscripto o monotributista.",
            "El comprobante vale; confirme la condición de IVA del cliente.",
        ),
        ((10018, 10019, 10020, 10021, 10022, 10023, 10070), "El detalle del IVA no cierra.", _AMOUNTS),
        (
            (10024, 10025, 10026, 10027, 10028, 10029),
            "El detalle de otros tributos no cierra.",
            "Revise código, base, alícuota e importe de cada tributo.",
        ),
        ((10030,), "El concepto no es productos, servicios o ambos.", _SUPPORT),
        (
            (10031, 10032, 10033, 10034, 10035, 10036, 10049),
            "Las fechas del servicio o del vencimiento de pago no son válidas.",
            "Corrija el período (desde, hasta) y el vencimiento, que no puede ser anterior a la factura.",
        ),
        ((10037,), "ARCA no conoce la moneda.", "Use una moneda de la tabla de ARCA."),
        ((10038, 10039, 10119, 10240), "La cotización no es la que ARCA admite.", _RATE),
        (
            (10151, 10158, 10163, 10165, 10215, 10216),
            "Falta un dato de la factura de crédito MiPyME (CBU, transferencia, vencimiento o comprobante asociado).",
            "Complete el CBU de 22 dígitos, SCA o ADC y el vencimiento del pago.",
        ),
        (
            (10239, 10241),
            "No se entiende si se paga en la misma moneda extranjera.",
            "Indíquelo solo en comprobantes en moneda extranjera.",
        ),
        ((10040, 10057, 10058, 10059, 10060, 10062), "El comprobante asociado no corresponde.", _NOTE),
        (
            (10041,),
            "ARCA no encuentra el comprobante asociado.",
            "La nota vale; controle a qué comprobante se refiere.",
        ),
        ((10043, 10044, 10045, 10046, 10047, 10065), "Un importe no puede ser negativo o debe ser cero.", _AMOUNTS),
        ((10048,), "El total no es la suma de sus partes.", _AMOUNTS),
        ((10051,), "El IVA no corresponde a la base y la alícuota.", _AMOUNTS),
        ((10056,), "Un importe tiene demasiados dígitos.", _AMOUNTS),
        ((10061,), "La suma de las bases no es el neto.", _AMOUNTS),
        (
            (10067, 10283),
            "A un sujeto no categorizado se le percibe el IVA.",
            "Agregue el tributo 13 (percepción de IVA a no categorizado).",
        ),
        ((10069,), "El receptor es el mismo emisor.", _RECEIVER),
        ((10071,), "Un comprobante C no lleva IVA.", "Quite el IVA de los renglones."),
        ((10152,), "Una fecha futura tiene que ser del mismo mes.", "Facture con fecha de hoy."),
        (
            (10188, 10192),
            "Por el importe y el cliente corresponde una factura de crédito electrónica MiPyME.",
            "Vuelva a facturar como FCE, con CBU y forma de transferencia (SCA o ADC).",
        ),
        ((10195,), "El receptor figura como apócrifo.", "No le facture: consulte con su contador."),
        ((10197,), "Una nota tiene que decir a qué comprobante o período corresponde.", _NOTE),
        ((10198,), "Una factura no lleva período asociado.", _SUPPORT),
        (
            (10217,),
            "El receptor es monotributista.",
            "El comprobante vale y lleva impresa la leyenda de la Ley 27.618.",
        ),
        ((10234, 10235, 10236), "ARCA observa la habilitación o la categoría del emisor.", _ISSUER),
        ((10237,), "La nota de crédito supera lo que queda del comprobante.", "Acredite como máximo el saldo."),
        ((10238, 10249), "El CUIT del receptor no existe o es de una persona fallecida.", _RECEIVER),
        ((10242, 10243), "La condición de IVA del receptor no corresponde a la clase del comprobante.", _RECEIVER),
        ((10245, 10246), "Falta la condición de IVA del receptor (RG 5616).", _RECEIVER),
        (
            (10247, 10248),
            "El CUIT del receptor está inactivo o limitado.",
            "Pida al cliente que lo regularice en ARCA.",
        ),
        ((10284,), "El documento del receptor no es un CUIT.", _RECEIVER),
        ((11000, 11001), "El punto de venta o el tipo de comprobante no es válido.", _SUPPORT),
        ((12000, 12001, 12002), "ARCA no da la cotización pedida.", _RATE),
    )
    for code in codes
}


def explained(code: int) -> Explanation | None:
    """Return what a code means and what to do, or None for one that we do not know."""
    return EXPLANATIONS.get(code)
