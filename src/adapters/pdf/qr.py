"""QR codes of one level and one mask (ISO/IEC 18004), drawn in a tenth of the time that a general encoder takes.

What surrounds the data is the same in every code of a version: it is learnt once from segno, which also says where its blocks end.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import chain, zip_longest
from operator import itemgetter
from typing import Any, Final

import segno
from attrs import field, frozen
from segno import consts as untyped

consts: Any = untyped
LEVEL: Final = "m"
MASK: Final = 2
"""To try all eight for the prettiest takes longer than the document; whoever reads a code is told which it is."""
VERSIONS: Final = range(10, 41)
"""From the tenth on a text's length is written in 16 bits; what vouchers say never fits a smaller one."""
OVERHEAD: Final = 3
"""Bytes around the text: its kind and length before it, the terminator after it."""
PADDING: Final = b"\0" + b"\xec\x11" * 1200
"""Fills what is left after the terminator; nobody reads it, and segno starts it with a zero too."""
TIMING: Final = 6
"""The column that pairs of columns step over."""
FORMAT: Final = 8
"""The row with the last modules of the format; segno counts one too many of them."""
DARK: Final = re.compile("0*1+")


class Strokes(dict[str, str]):
    """A dark run and the light one before it, as modules and as the pen goes over them: a code has a thousand, and few kinds."""

    def __missing__(self, run: str) -> str:
        dark = run.count("1")
        return self.setdefault(run, f"m{len(run) - dark} 0h{dark}")


STROKES: Final = Strokes()


@frozen(kw_only=True)
class Form:
    """Codes of a version: what is drawn in all of them, and where the data goes."""

    size: int
    blank: int
    """The code whose data is all zeros, as the bits of a number, its first row first."""
    places: itemgetter[Any] = field(repr=False)
    """Takes from a sequence of the data's bits, and a zero after them, what stands in each module."""
    blocks: tuple[tuple[int, int], ...]
    """Bytes of data and of correction of each block."""


def drawn(text: str) -> str:
    """Return the text's code as SVG: a stroke for each run of dark modules, one unit thick. Raise `ValueError` for more than 2331 bytes."""
    rows = modules(text)
    runs = "".join(
        f"M0 {place}.5{''.join(map(STROKES.__getitem__, DARK.findall(row)))}" for place, row in enumerate(rows)
    )
    size = len(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" viewBox="0 0 {size} {size}">'
        f'<path fill="none" stroke="#000" d="{runs}"/></svg>'
    )


def modules(text: str) -> list[str]:
    """Return the code's rows, "1" where it is dark. Raise `ValueError` for more than 2331 bytes."""
    content = text.encode()
    needed = len(content) + OVERHEAD
    version = next((each for each in VERSIONS if _room(each) >= needed), None)
    if version is None:
        msg = "the text is too long for a QR code"
        raise ValueError(msg)
    form, room = _form(version), _room(version)
    head = consts.MODE_BYTE << 16 | len(content)
    words = ((head << 8 * len(content) | int.from_bytes(content)) << 4).to_bytes(needed)
    words += PADDING[: room - needed]
    data, corrections, start = [], [], 0
    for length, extra in form.blocks:
        data.append(words[start : start + length])
        corrections.append(_correction(data[-1], extra))
        start += length
    woven = bytes(word for group in (data, corrections) for word in chain(*zip_longest(*group)) if word is not None)
    bits = f"{int.from_bytes(woven):0{8 * len(woven)}b}0"
    placed = form.blank ^ int("".join(form.places(bits)), 2)
    whole, size = f"{placed:0{form.size**2}b}", form.size
    return [whole[start : start + size] for start in range(0, size * size, size)]


def _correction(data: bytes, length: int) -> bytes:
    """Return what is left of the data divided by the generator (Reed-Solomon over GF(256))."""
    table, rest, top, below = _multiples(length), 0, 8 * (length - 1), (1 << 8 * (length - 1)) - 1
    for word in data:
        rest = (rest & below) << 8 ^ table[rest >> top ^ word]
    return rest.to_bytes(length)


@cache
def _multiples(length: int) -> tuple[int, ...]:
    """Return every byte's multiple of the generator without its first term."""
    logs, powers, generator = consts.GALIOS_LOG, consts.GALIOS_EXP, consts.GEN_POLY[length]
    return (0, *(int.from_bytes(powers[logs[each] + term] for term in generator) for each in range(1, 256)))


def _blocks(version: int) -> tuple[tuple[int, int], ...]:
    return tuple(
        (group.num_data, group.num_total - group.num_data)
        for group in consts.ECC[version][consts.ERROR_LEVEL_M]
        for _ in range(group.num_blocks)
    )


@cache
def _room(version: int) -> int:
    return sum(data for data, _ in _blocks(version))


@cache
def _form(version: int) -> Form:
    frame = segno.make("0", version=version, error=LEVEL, mode="byte", mask=MASK, boost_error=False)
    kinds: list[Any] = list(frame.matrix_iter(border=0, verbose=True))
    size = len(kinds)
    kinds[FORMAT] = (*kinds[FORMAT][: -FORMAT - 1], consts.TYPE_DATA_LIGHT, *kinds[FORMAT][-FORMAT:])
    free = [
        row * size + column
        for turn, right in enumerate((*range(size - 1, TIMING, -2), *range(TIMING - 1, 0, -2)))
        for row in (range(size) if turn % 2 else reversed(range(size)))
        for column in (right, right - 1)
        if kinds[row][column] in {consts.TYPE_DATA_DARK, consts.TYPE_DATA_LIGHT}
    ]
    blocks = _blocks(version)
    places, blank = [-1] * size**2, [each & 1 for row in frame.matrix for each in row]
    for bit, module in enumerate(free):
        blank[module] = module % size % 3 == 0
        if bit < 8 * sum(map(sum, blocks)):
            places[module] = bit
    return Form(
        size=size, blank=int("".join(str(int(each)) for each in blank), 2), places=itemgetter(*places), blocks=blocks
    )
