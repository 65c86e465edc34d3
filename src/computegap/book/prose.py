"""Find numbers with units that were typed into prose, where a published or a registered number belongs.

A typed number goes stale without anyone noticing. The scan looks at Markdown outside code, mathematics,
roles, addresses and HTML tags, for digits followed by one of :data:`UNITS`, :data:`WORDS` or :data:`COUNTED`.
Names that hold digits and a unit, such as those of process nodes, are passed in as names, each with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_SYMBOLS_TEXT = """
% ‰ °C K eV nm µm um mm cm km mm² mm^2 mm2 cm² cm^2 cm2 m² W mW kW MW GW TW Wh kWh MWh GWh TWh J pJ MJ V Hz
kHz MHz GHz B kB KB MB GB TB PB EB KiB MiB GiB TiB B/s kB/s MB/s GB/s TB/s PB/s GiB/s TiB/s bit/s Mbit/s
Gbit/s Tbit/s Gb/s Tb/s Mb/s Gbps FLOP FLOPs FLOPS FLOP/s MFLOP/s GFLOP/s TFLOP/s PFLOP/s EFLOP/s GFLOPS
TFLOPS PFLOPS EFLOPS TFLOPs PFLOPs TOPS TOP/s POPS FLOP/byte FLOP/B TFLOP GFLOP PFLOP TPP TPP/mm² USD EUR
RMB CNY ns µs us ms min bn tn pp
"""
_WORDS_TEXT = """
percent percentage-points? per-cent thousand million billion trillion quadrillion times fold × x dollars?
euros? yuan nanometres? nanometers? micrometres? millimetres? millimeters? centimetres? square-millimetres?
watts? kilowatts? megawatts? gigawatts? joules? bits? bytes? kilobytes? megabytes? gigabytes? terabytes?
petabytes? teraflops? petaflops? gigahertz megahertz nanoseconds? microseconds? milliseconds? seconds?
minutes? hours? days? weeks? months? years?
"""
_COUNTED_TEXT = """
chips? dies wafers? transistors? GPUs? accelerators? cores? cards? servers? racks? stacks? layers? masks?
exposures? parameters? weights? tokens? samples? steps? seeds? states? nodes? machines? workers? fabs?
nations? countries companies models? points? defects? sequences? queries requests? editions?
H100-equivalents? H100e
"""
#: Symbols, written exactly so. (``s`` and ``h`` need a space before them: "1990s" is a decade.)
UNITS = tuple(_SYMBOLS_TEXT.split())
#: Symbols that count only after a space, and only when attached.
SPACED, ATTACHED = ("s", "h", "m"), ("B", "M", "T", "k", "x", "×")
#: Words, in any case, singular and plural, as patterns.
WORDS = tuple(_WORDS_TEXT.split())
#: Things that get counted. A year may stand before them ("in 2023 chips were sold"), another number may not.
COUNTED = tuple(_COUNTED_TEXT.split())

_DIGITS = r"\d+(?:[.,]\d+)*(?:e[+-]?\d+)?"
_NUMBER = rf"(?<![\w.,\-/^_])(?P<number>[~≈<>±+−-]?(?:{_DIGITS}\s?[-–—]\s?)?{_DIGITS})"
_GAP = r"[ \t\u00a0\u2009\u202f]*(?:\n[ \t>]*)?"
_END = r"(?![\w²³]|-\w)"


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(
        word.replace("-", r"[\s-]") if word.endswith("?") or word.isalpha() or "-" in word else word
        for word in words
    )


_SYMBOLS = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_HARD = re.compile(
    rf"{_NUMBER}(?:(?:{_GAP}|-)(?P<unit>{_SYMBOLS}){_END}"
    rf"|[ \u00a0](?:{'|'.join(SPACED)}){_END}"
    rf"|(?:{'|'.join(ATTACHED)})(?![\w²³]|\s*\d)"
    rf"|(?:{_GAP}|-)(?i:{_alternatives(WORDS)}){_END}(?!\s*\d))"
)
_SOFT = re.compile(rf"{_NUMBER}(?:{_GAP}|-)(?i:{_alternatives(COUNTED)}){_END}")
_MONEY = re.compile(r"\\?[$€£¥]\s?\d[\d.,]*(?:\s?(?:million|billion|trillion|bn|[mkMBT])\b)?")
_YEAR = re.compile(r"(?:19|20)\d\d\Z")
_PLAN = re.compile(r"(?i)(?:min|minutes?)\Z")

_CODE_DIRECTIVES = {
    "code",
    "code-cell",
    "code-block",
    "math",
    "eval-rst",
    "raw",
    "bibliography",
    "toctree",
    "tableofcontents",
}


@dataclass(frozen=True)
class Typed:
    """A typed number with a unit.

    Attributes
    ----------
    line : int
        Line in the text, from 1.
    text : str
        The number and its unit, as typed.
    """

    line: int
    text: str


def typed_numbers(markdown: str, names: Iterable[str] = (), *, plan: bool = False) -> list[Typed]:
    """Numbers with units in a piece of Markdown.

    Parameters
    ----------
    markdown : str
    names : iterable of str
        Names that hold a number and a unit and are neither, such as ``"7 nm class"``.
    plan : bool
        True for a lesson plan, whose minutes are a plan and no fact about the world.

    Returns
    -------
    list of Typed
        In order of appearance.
    """
    text = prose_only(markdown)
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", lambda match: _blank(match.group()), text)
    found: dict[int, str] = {match.start(): match.group() for match in _MONEY.finditer(text)}
    for match in _HARD.finditer(text):
        if not (plan and _PLAN.search(match.group())):
            found.setdefault(match.start(), match.group())
    for match in _SOFT.finditer(text):
        if not _YEAR.match(match["number"]):
            found.setdefault(match.start(), match.group())
    return [Typed(text.count("\n", 0, start) + 1, " ".join(found[start].split())) for start in sorted(found)]


def prose_only(markdown: str) -> str:
    """The Markdown with everything that is not prose blanked out; lines stay where they are."""
    text = re.sub(r"\A---\n.*?\n---\n", lambda m: _blank(m.group()), markdown, flags=re.DOTALL)
    text = "\n".join(_without_fences(text.split("\n")))
    patterns = (
        r"<!--.*?-->",
        r"\$\$.*?\$\$(?:[ \t]*\([\w:-]+\))?",
        r"\{[\w:.-]+\}(?P<r>`+)(?:.|\n(?!\n))+?(?P=r)(?!`)",
        r"(?P<c>`+)(?:.|\n(?!\n))+?(?P=c)(?!`)",
        r"(?<![\\$\w])\$(?![\s$])[^$\n]*?(?<![\s\\])\$(?![\d$])",
        r"<https?://[^>\s]*>",
        r"</?[A-Za-z][^<>]*>",
        r"(?<=\])\([^()\s]*(?:\s+\"[^\"]*\")?\)",
        r"https?://[^\s)>\]]+",
        r"(?m)^\([\w:-]+\)=$",
        r"(?m)^\s*\[[^\]]+\]:\s+\S+.*$",
    )
    for pattern in patterns:
        flags = re.DOTALL if pattern in patterns[:2] else 0
        text = re.sub(pattern, lambda match: _blank(match.group()), text, flags=flags)
    return text


def _blank(text: str) -> str:
    """As many signs, lines kept, that are neither digits nor letters nor a space before a unit."""
    return "".join("\n" if sign == "\n" else "§" for sign in text)


def _without_fences(lines: list[str]) -> Iterator[str]:
    """Blank code fences; of a directive's fence only its marks and options, for its content is prose."""
    fence, keep, options = "", True, False
    for line in lines:
        mark = re.match(r"\s*(`{3,}|~{3,}|:{3,})\s*(?:\{([\w:.-]+)\})?", line)
        if not fence and mark:
            fence, name = mark.group(1), mark.group(2)
            keep = name is not None and name not in _CODE_DIRECTIVES
            options = keep
            yield _blank(line)
        elif (
            fence
            and mark
            and mark.group(1).startswith(fence)
            and not mark.group(2)
            and line.strip() == mark.group(1)
        ):
            fence = ""
            yield _blank(line)
        elif (fence and not keep) or (fence and options and re.match(r"\s*:[\w-]+:", line)):
            yield _blank(line)
        else:
            options = False
            yield line
