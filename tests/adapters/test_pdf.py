"""The printed invoice, read back from the PDF."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
from datetime import date
from decimal import Decimal
from typing import Any

import pypdf
import pytest
from attrs import evolve

from adapters.pdf import TypstPrinter
from adapters.pdf.printer import SYMBOLS, _lines, amount, clean, percent, plain, render
from adapters.pdf.qr import modules
from core.invoicing import Authorisation, Invoice, NotIssued, Receiver, qr_text
from core.kernel.money import Line, RateTotal, totals
from tests.adapters.afip_bench import COMPANY, SOMEBODY, an_invoice
from tests.contracts.fiscal import TAKEN, TODAY, corrected, line
from tests.contracts.samples import NOW

pytestmark = pytest.mark.anyio
ANA = evolve(SOMEBODY, document_type="DNI", document_number="28123456", address="Av. Corrientes 1234, CABA")


def issued(**wanted: Any) -> Invoice:
    return an_invoice(42, **wanted).issue(Authorisation(cae="71234567890123", expires_on=date(2026, 11, 30)), at=NOW)


async def printed(invoice: Invoice, *, sandbox: bool = False, copy: str = "original") -> pypdf.PdfReader:
    pdf = await TypstPrinter(sandbox=sandbox).print(invoice, qr_text=qr_text(invoice), copy=copy)
    return pypdf.PdfReader(io.BytesIO(pdf), strict=True)


async def text_of(invoice: Invoice, *, sandbox: bool = False) -> str:
    reader = await printed(invoice, sandbox=sandbox)
    pages = "\n".join(page.extract_text() for page in reader.pages)
    return re.sub(r"\s+", " ", pages.replace("\u200b", "").replace("\xa0", " "))


@pytest.mark.parametrize(
    ("condition", "receiver", "letter", "code", "issuer_says"),
    [
        ("responsable_inscripto", COMPANY, "A", "COD. 001", "IVA Responsable Inscripto"),
        ("responsable_inscripto", ANA, "B", "COD. 006", "IVA Responsable Inscripto"),
        ("monotributo", ANA, "C", "COD. 011", "Responsable Monotributo"),
    ],
)
async def test_every_box_is_there(condition: str, receiver: Receiver, letter: str, code: str, issuer_says: str) -> None:
    text = await text_of(issued(issuer_condition=condition, receiver=receiver))
    for wanted in (
        f" {letter} {code} ",
        "ORIGINAL",
        " FACTURA ",
        "Climatización Palermo S.R.L.",
        "Domicilio comercial Av. Santa Fe 3200",
        f"Condición frente al IVA {issuer_says}",
        "Punto de venta 00001",
        "Comp. N° 00000042",
        "Fecha de emisión 20/11/2026",
        "CUIT 30712345671",
        "Ingresos Brutos 901-234567-1",
        "Inicio de actividades 01/03/2019",
        "Período facturado desde 20/11/2026 hasta 20/11/2026",
        "Vto. para el pago 20/11/2026",
        receiver.name,
        f"{receiver.document_type} {receiver.document_number}",
        "Condición de venta",
        "Comprobante autorizado",
        "CAE N° 71234567890123",
        "Vto. de CAE 30/11/2026",
        "Página 1 de 1",
    ):
        assert wanted in text
    assert "fiscal: entorno" not in text


async def test_a_shows_the_tax_apart() -> None:
    text = await text_of(issued(receiver=COMPANY))
    assert "Gas 1,5 10.000,50 21 % 15.000,75" in text
    assert "Importe neto gravado $ 15.000,75 IVA 21 % $ 3.150,16" in text
    assert "Importe total $ 18.150,91" in text
    assert "Ley 27.743" not in text
    assert "27.618" not in text


async def test_a_for_a_monotributista_has_the_legend_of_its_law() -> None:
    assert "Ley Nº 27.618" in await text_of(issued(receiver=evolve(COMPANY, vat_condition="monotributo")))


async def test_b_shows_final_prices_and_the_tax_in_them() -> None:
    text = await text_of(issued(receiver=ANA))
    assert "Gas 1,5 12.100,61 18.150,91" in text
    assert "Régimen de Transparencia Fiscal al Consumidor (Ley 27.743)" in text
    assert "IVA Contenido: $ 3.150,16" in text
    assert "Otros Impuestos Nacionales Indirectos: $ 0,00" in text
    assert "Importe neto gravado" not in text


async def test_b_for_an_exempt_company_and_c_have_no_transparency_box() -> None:
    exempt = evolve(COMPANY, vat_condition="exento")
    for invoice in (issued(receiver=exempt), issued(issuer_condition="monotributo", receiver=ANA)):
        assert "27.743" not in await text_of(invoice)


async def test_lines_with_tax_inside_add_up_to_the_total() -> None:
    lines = tuple(Line(description=f"n{n}", quantity=Decimal(1), unit_price=Decimal("0.33")) for n in range(7))
    invoice = issued(receiver=ANA, lines=lines)
    text = await text_of(invoice)
    shown = [Decimal(found.replace(",", ".")) for found in re.findall(r"n\d 1 [\d,]+ ([\d,]+)", text)]
    assert len(shown) == 7
    assert sum(shown) == invoice.totals.total == Decimal("2.80")


async def test_products_have_no_period_and_nobody_is_a_final_consumer() -> None:
    text = await text_of(issued(concept="products", receiver=Receiver(customer_id="c", name="")))
    assert "Período facturado" not in text
    assert "A CONSUMIDOR FINAL" in text


async def test_a_sandbox_invoice_says_that_it_is_worth_nothing() -> None:
    text = await text_of(issued(receiver=ANA), sandbox=True)
    assert "Sin validez fiscal: entorno de prueba." in text
    assert "SIN VALIDEZ FISCAL" in text


async def test_a_long_list_goes_on_with_its_head_and_loses_no_line() -> None:
    lines = tuple(
        Line(description=f"Trabajo {n:03}", quantity=Decimal(1), unit_price=Decimal(10)) for n in range(1, 91)
    )
    reader = await printed(issued(receiver=COMPANY, lines=lines))
    pages = [page.extract_text() for page in reader.pages]
    assert len(pages) >= 2
    for number, text in enumerate(pages, 1):
        assert f"Página {number} de {len(pages)}" in re.sub(r"\s+", " ", text)
        assert "CAE N°" in text
    assert all("Descripción" in text for text in pages if "Trabajo" in text)
    assert re.findall(r"Trabajo (\d{3})", "".join(pages)) == [f"{n:03}" for n in range(1, 91)]
    assert sum("Importe total" in text for text in pages) == 1


FORTY = tuple(
    Line(
        description=f"Trabajo {n:03} con una descripción que ocupa más de un renglón, como las que dictan los técnicos al terminar",
        quantity=Decimal("1.5"),
        unit_price=Decimal("123456789012.34"),
        discount=Decimal("12.5"),
    )
    for n in range(1, 41)
)


@pytest.mark.parametrize(
    ("kind", "condition", "receiver", "title"),
    [
        ("invoice", "responsable_inscripto", COMPANY, "Factura A 001"),
        ("invoice", "responsable_inscripto", ANA, "Factura B 006"),
        ("invoice", "monotributo", ANA, "Factura C 011"),
        ("credit_note", "responsable_inscripto", COMPANY, "Nota de crédito A 003"),
    ],
)
async def test_every_page_of_a_long_one_says_what_it_belongs_to(
    kind: str, condition: str, receiver: Receiver, title: str
) -> None:
    rate = Decimal(0) if condition == "monotributo" else Decimal(21)
    lines = tuple(evolve(each, vat_rate=rate) for each in FORTY)
    invoice = issued(issuer_condition=condition, receiver=evolve(receiver, name="Muy larga " * 30), lines=lines)
    invoice = evolve(invoice, kind=kind, corrects=() if kind == "invoice" else (corrected(),))
    reader = await printed(invoice)
    pages = [re.sub(r"\s+", " ", page.extract_text()) for page in reader.pages]
    name, letter, code = title.rsplit(" ", 2)
    assert len(pages) > 1
    for number, text in enumerate(pages, 1):
        for wanted in (
            "ORIGINAL",
            f" {letter} ",
            invoice.issuer.name,
            invoice.issuer.cuit,
            "00001",
            "00000042",
            "20/11/2026",
        ):
            assert wanted in text
        for wanted in (
            f"COD. {code}",
            receiver.document_number,
            "Muy larga",
            "Comprobante autorizado",
            "CAE N° 71234567890123",
        ):
            assert wanted in text
        assert name.lower() in text.lower()
        assert (f"Continúa en la página {number + 1}" in text) == (number < len(pages))
        assert ("Importe total" in text) == (number == len(pages))
        assert ("Condición frente al IVA" in text) == (number == 1)
    assert re.findall(r"Trabajo (\d{3})", "".join(pages)) == [f"{n:03}" for n in range(1, 41)]
    assert f"$ {amount(invoice.totals.total)}" in pages[-1]
    assert ("IVA Contenido" in pages[-1]) == (letter == "B")


async def test_a_copy_is_marked_and_counts_its_own_pages() -> None:
    invoice = issued(receiver=COMPANY, lines=FORTY)
    alone = [page.extract_text() for page in (await printed(invoice, copy="duplicate")).pages]
    assert all("DUPLICADO" in text and "ORIGINAL" not in text for text in alone)
    both = [page.extract_text() for page in (await printed(invoice, copy="both")).pages]
    originals = [page.extract_text() for page in (await printed(invoice)).pages]
    assert both == [*originals, *alone]
    assert [re.findall(r"Página \d de \d", text) for text in both] == [["Página 1 de 2"], ["Página 2 de 2"]] * 2


async def test_what_is_due_later_is_sold_on_credit() -> None:
    at_once = issued(receiver=COMPANY)
    later = evolve(at_once, terms=evolve(at_once.terms, due_on=date(2026, 12, 20)))
    assert "Condición de venta Contado" in await text_of(at_once)
    assert "Condición de venta Cuenta corriente" in await text_of(later)


HOSTILE = [
    '#set page(fill: red) *bold* _it_ `raw` $x^2$ <label> @ref [a] ] #panic("x")',
    "= Heading\n- list\n// comment /* more",
    '"quoted" \\u{41} \\n #sys.inputs #read("/etc/hostname")',
    "W" * 300,
    "https://" + "a/" * 120,
]


async def test_text_is_never_markup() -> None:
    lines = tuple(Line(description=text, quantity=Decimal(1), unit_price=Decimal(10)) for text in HOSTILE)
    receiver = Receiver(customer_id="c", name='#panic("name") *Ana*', address="] #pagebreak() [")
    invoice = issued(receiver=receiver, lines=lines)
    invoice = evolve(invoice, issuer=evolve(invoice.issuer, name='#panic("issuer") "$'))
    text = (await text_of(invoice)).replace(" ", "")
    for wanted in [*HOSTILE, receiver.name, receiver.address, invoice.issuer.name]:
        assert re.sub(r"\s", "", wanted) in text


async def test_nothing_leaves_the_paper() -> None:
    lines = (Line(description="W" * 300, quantity=Decimal(1), unit_price=Decimal(10)),)
    reader = await printed(issued(receiver=evolve(ANA, name="M" * 200), lines=lines))
    starts: list[float] = []

    def visit(text: str, _cm: Any, matrix: list[float], _font: Any, _size: Any) -> None:
        if text.strip():
            starts.append(matrix[4] + 6 * len(text.strip().splitlines()[-1]) / 2)

    reader.pages[0].extract_text(visitor_text=visit)
    assert len(starts) > 20
    words = re.findall(r"[WM]{5,}", reader.pages[0].extract_text().replace("\u200b", ""))
    assert len(words) > 4
    assert max(map(len, words)) < 80


@pytest.mark.parametrize("text", ["💡🔧", "a\x00b\x07c\x1b", "\u202eabc", "漢字 العربية", "e\u0301", "\ud7ff"])
async def test_any_letters_can_be_printed(text: str) -> None:
    lines = (Line(description=text, quantity=Decimal("0.001"), unit_price=Decimal(1000)),)
    assert "Importe total" in await text_of(issued(receiver=evolve(ANA, name=text), lines=lines))


def test_what_no_font_has_is_left_out() -> None:
    assert clean("💡 Foco\n nuevo\x00") == "Foco nuevo"
    assert clean("🔧") == "-"
    assert clean("x" * 21).replace("\u200b", "") == "x" * 21


async def test_a_note_says_what_it_corrects_and_why() -> None:
    note = evolve(issued(receiver=ANA), kind="credit_note", corrects=(corrected(),), reason="No enfriaba")
    text = await text_of(note)
    assert " NOTA DE CRÉDITO " in text
    assert " B COD. 008 " in text
    assert "Comprobante asociado Factura B 00001-00000001 del 20/11/2026" in text
    assert "Motivo No enfriaba" in text
    debit = evolve(note, kind="debit_note", corrects=(), corrects_period=(date(2026, 10, 1), date(2026, 10, 31)))
    text = await text_of(debit)
    assert " NOTA DE DÉBITO " in text
    assert "Período asociado 01/10/2026 al 31/10/2026" in text


@pytest.mark.parametrize("name", TAKEN)
async def test_whatever_afip_takes_is_printed_and_its_rows_add_up(name: str) -> None:
    submitted = TAKEN[name].submit(number=1, issued_on=TODAY, at=NOW)
    invoice = submitted.issue(Authorisation(cae="71234567890123", expires_on=date(2026, 11, 30)), at=NOW)
    text = await text_of(invoice)
    assert f"COD. {invoice.voucher_type:03}" in text
    assert f"Importe total {SYMBOLS[invoice.currency]} {amount(invoice.totals.total)}" in text
    rows = _lines(invoice.lines, invoice.totals, split=invoice.letter == "A")
    shown = sum(Decimal(row[-1].replace(".", "").replace(",", ".")) for row in rows)
    sums = invoice.totals
    assert shown == sums.total - sums.taxes - (sums.vat if invoice.letter == "A" else 0)


async def test_everything_beside_the_taxed_is_named() -> None:
    submitted = TAKEN["A of everything"].submit(number=1, issued_on=TODAY, at=NOW)
    text = await text_of(submitted.issue(Authorisation(cae="71234567890123", expires_on=TODAY), at=NOW))
    for wanted in (
        "Exento 250,10",
        "No gravado 80,80",
        "Importe neto no gravado $ 80,80",
        "Importe exento $ 250,10",
        "Percepción de IIBB 3 % $ 30,00",
        "Tasa vial 5 % $ 0,50",
        "Importe otros tributos $ 30,50",
    ):
        assert wanted in text


async def test_foreign_money_and_a_credit_invoice_say_how_they_are_paid() -> None:
    for name, wanted in (
        (
            "dollars",
            (
                "Moneda y cotización USD 1 = $ 1500,25",
                "Importe total US$ 1.210,00",
                "al tipo de cambio consignado, es de $ 1.815.302,50.",
            ),
        ),
        (
            "a credit invoice",
            (
                "FACTURA DE CRÉDITO ELECTRÓNICA MIPYME (FCE)",
                "CBU del emisor 0170099220000067797370",
                "Sistema de Circulación Abierta",
                "Referencia comercial OC 77",
            ),
        ),
    ):
        submitted = TAKEN[name].submit(number=1, issued_on=TODAY, at=NOW)
        text = await text_of(submitted.issue(Authorisation(cae="71234567890123", expires_on=TODAY), at=NOW))
        for each in wanted:
            assert each in text


def test_the_tax_of_a_note_that_is_given_to_the_cent_is_in_its_rows() -> None:
    lines = (line("0.50"),)
    exact = totals(lines, exact=(RateTotal(Decimal(21), Decimal("0.50"), Decimal("0.11")),))
    assert [row[-1] for row in _lines(lines, exact, split=False)] == ["0,61"]
    assert [
        row[-1]
        for row in _lines(
            lines, evolve(exact, rates=(RateTotal(Decimal(21), Decimal("0.50"), Decimal("0.10")),)), split=False
        )
    ] == ["0,60"]


@pytest.mark.parametrize("receiver", [ANA, COMPANY], ids=["B", "A"])
async def test_the_qr_code_is_that_of_the_text_module_by_module(receiver: Receiver) -> None:
    invoice = issued(receiver=receiver)
    wanted = modules(qr_text(invoice))
    reader = await printed(invoice)
    assert _modules(reader, len(wanted)) == [[each == "1" for each in row] for row in wanted]


def _modules(reader: pypdf.PdfReader, size: int) -> list[list[bool]]:
    """Read the code's dark runs, horizontal strokes one module thick, from the page's drawing."""
    contents = reader.pages[0].get_contents()
    assert contents is not None
    drawing = contents.get_data().decode("latin-1")
    runs = [tuple(map(float, found)) for found in re.findall(r"([\d.]+) ([\d.]+) m\s+([\d.]+) ([\d.]+) l", drawing)]
    flat = [(x, y, to) for x, y, to, level in runs if y == level and y % 1 == 0.5 and to > x]
    modules = [[False] * size for _ in range(size)]
    for x, y, to in flat:
        for column in range(int(x), int(to)):
            modules[int(y)][column] = True
    return modules


def everything() -> list[str]:
    """Print what AFIP takes and a long list, with both copies, and return what each document's bytes come to."""
    submitted = [each.submit(number=1, issued_on=TODAY, at=NOW) for each in TAKEN.values()]
    yes = Authorisation(cae="71234567890123", expires_on=TODAY)
    return [
        hashlib.sha256(render(each, qr_text=qr_text(each), sandbox=place % 2 == 0, copy="both")).hexdigest()
        for place, each in enumerate(
            [*(each.issue(yes, at=NOW) for each in submitted), issued(receiver=ANA, lines=FORTY)]
        )
    ]


def test_the_same_invoice_is_the_same_bytes_in_every_process() -> None:
    here = everything()
    assert len(here) == len(TAKEN) + 1
    assert everything() == here
    program = "from tests.adapters.test_pdf import everything; print(*everything())"
    elsewhere = {**os.environ, "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7", "RAYON_NUM_THREADS": "1"}
    there = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, env=elsewhere)
    assert there.stdout.split() == here


async def test_without_a_cae_nothing_is_printed() -> None:
    with pytest.raises(NotIssued, match="no CAE"):
        await TypstPrinter().print(an_invoice(), qr_text="x")


def test_numbers_are_written_as_people_do() -> None:
    assert [amount(Decimal(each)) for each in ("0", "1234.5", "1234567.891")] == ["0,00", "1.234,50", "1.234.567,89"]
    assert [plain(Decimal(each)) for each in ("2", "1.50", "1E+2", "0.001")] == ["2", "1,5", "100", "0,001"]
    assert percent(Decimal("10.5")) == "10,5 %"
