"""No number with a unit is typed into the book's prose: a chapter publishes it, or the registry has it."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap.book.prose import prose_only, typed_numbers

ROOT = Path(__file__).resolve().parents[2]
NAMES_FILE = Path(__file__).with_name("names.txt")
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
PAGES = sorted(
    path
    for pattern in ("intro.md", "glossary.md", "negative-results.md", "errata.md", "teach/*.md")
    for path in ROOT.glob(pattern)
)
REMEDY = (
    "Publish it in a cell, book.publish('name', value, unit), and write {glue:text}`name`; or, for a value "
    "of the registry, {fact}`H20.bf16`. If it is a name, add it to tests/chapters/names.txt with a reason."
)
#: Functions of computegap.book whose texts the reader sees.
SPEAKING = {"opening", "predict", "quiz", "Answer", "claims_table", "say", "explore", "show", "Explorable"}


def read_names() -> dict[str, str]:
    names = {}
    for line in NAMES_FILE.read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition(" # ")
            names[name.strip()] = reason.strip()
    return names


def spoken_texts(source: str, helpers) -> list[str]:
    """Texts that a code cell hands to the functions that show them; computed parts become a placeholder."""
    texts = []
    for node in ast.walk(ast.parse(helpers.without_magics(source))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in SPEAKING:
            for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                texts.extend(strings(argument))
    return texts


def strings(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(part.value if isinstance(part, ast.Constant) else "§" for part in node.values)]
    if isinstance(node, (ast.Lambda, ast.Call, ast.Subscript)):
        return []
    return [text for child in ast.iter_child_nodes(node) for text in strings(child)]


def faults_in_notebook(path: Path, helpers) -> list[str]:
    faults = []
    for number, cell in enumerate(nbformat.read(path, 4).cells, 1):
        where = f"{path.relative_to(ROOT)}, cell {number} ({cell.get('id', 'no id')})"
        if cell.cell_type == "markdown":
            faults += [
                f"{where}, line {t.line}: “{t.text}”" for t in typed_numbers(cell.source, read_names())
            ]
        elif cell.cell_type == "code":
            for text in spoken_texts(cell.source, helpers):
                faults += [
                    f"{where}, in “{text[:50]}…”: “{t.text}”" for t in typed_numbers(text, read_names())
                ]
    return faults


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_type_no_number_with_a_unit(path, helpers):
    faults = faults_in_notebook(path, helpers)
    assert not faults, "Numbers with units are typed into prose:\n  " + "\n  ".join(faults) + f"\n{REMEDY}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_pages_type_no_number_with_a_unit(path):
    typed = typed_numbers(path.read_text("utf-8"), read_names(), plan=path.parent.name == "teach")
    faults = [f"{path.relative_to(ROOT)}, line {t.line}: “{t.text}”" for t in typed]
    assert not faults, "Numbers with units are typed into prose:\n  " + "\n  ".join(faults) + f"\n{REMEDY}"


def test_every_name_has_a_digit_and_a_reason():
    for name, reason in read_names().items():
        assert any(sign.isdigit() for sign in name), f"{name!r} holds no digit and needs no entry"
        assert len(reason) >= 8, f"say why {name!r} is a name"


@pytest.mark.parametrize(
    "fault",
    [
        "It reaches 148 TFLOP/s.",
        "It reaches 148\u00a0TFLOP/s.",
        "It holds 96GB of memory.",
        "a bandwidth of 4.0 TB/s",
        "an 814-mm² die",
        "a die of 26 mm by 33 mm",
        "drawn at 400 W",
        "about 12 % of wafers",
        "about 12% of wafers",
        "about 12 percent",
        "some 1,200 USD each",
        "some $1,200 each",
        "some \\$1,200 each",
        "sold 1.5 million",
        "3.7 times faster",
        "3.7x faster",
        "3.7× faster",
        "a 5-fold gain",
        "a score of 4800 TPP",
        "with 4,800\nTPP",
        "> in 30\n> seconds",
        "made 20000 wafers",
        "with 384 chips",
        "2000 W of heat in 2023",
        "a model of 70B parameters",
        "between 5 and 7 GB",
        "between 5–7 GB",
        "between 5-7 GB",
        "**148 TFLOP/s**",
        "`x`40 GB",
        "it took ~30 s",
        "see [the 80 GB part](x.md)",
        "```{note}\nIt has 80 GB.\n```",
        "| peak | 148 TFLOP/s |",
        "made at 7 nm",
        "<b>40 GB</b>",
    ],
)
def test_the_scan_finds_planted_faults(fault):
    assert typed_numbers(fault, read_names())


@pytest.mark.parametrize(
    "legal",
    [
        "The H100 and the H20, in October 2022, under 3A090.a.",
        "The GB200 NVL72 racks of 2024.",
        "In 2023 chips were still sold; the 1990s were different.",
        "It reaches {glue:text}`h20_bf16` at batch 4.",
        "It reaches {fact}`H20.bf16`, or `148 TFLOP/s` in code.",
        "Where $P = 148\\,\\text{TFLOP/s}$ holds, and $$x = 3 W$$ too.",
        "```python\nx = 3  # 40 GB\n```",
        "```\n40 GB\n```",
        "[source](https://example.org/40%20GB/3%25)",
        "See https://example.org/80%/5-times.",
        '<img alt="" width="40%" src="x">',
        "<!-- 40 GB -->",
        "Exercise 3: wafers and Chapter 2.",
        "1. Chips\n2. Wafers",
        "Two chips, ten per cent, a hundred times.",
        "A matrix of 256 x 256 and 4 × 4 blocks.",
        "FP8 and BF16 on an A100 80GB, in the 7 nm class, by the 910B.",
        "Python 3.11 and CC BY 4.0, torch 2.13.0.",
        "---\nwidth: 40%\n---\nText.",
        "the N7 wafer, the E4M3 bits and the sm_90 cores",
        "{cite}`x2024` and {term}`3A090`",
    ],
)
def test_the_scan_lets_legal_sentences_pass(legal):
    assert typed_numbers(legal, read_names()) == []


def test_a_lesson_plan_may_give_minutes_but_nothing_else():
    assert typed_numbers("Discuss for 10 minutes.", plan=True) == []
    assert typed_numbers("Discuss for 10 minutes.") != []
    assert typed_numbers("Show the 80 GB part for 10 minutes.", plan=True)[0].text == "80 GB"


def test_texts_of_questions_are_scanned_and_computed_parts_are_not(helpers):
    magic = "if x:\n    %pip install x\n"
    source = magic + "book.quiz(f'Why {book.number(\"a\")} GB?', [book.Answer('because 3 GB', 'no')])"
    texts = spoken_texts(source, helpers)
    assert [bool(typed_numbers(text)) for text in texts].count(True) == 1


def test_the_line_of_a_fault_is_named():
    assert typed_numbers("one\n\n`two`\n40 GB")[0].line == 4


@given(st.text(alphabet="ab1 $`\n<>[](){}~%:-GB", max_size=80))
def test_blanking_keeps_every_line_and_length(text):
    kept = prose_only(text)
    assert len(kept) == len(text)
    assert kept.count("\n") == text.count("\n")


def literals_published(source: str, helpers) -> list[str]:
    """Calls of publish and publish_range whose value is typed on the spot, sign and scale included."""
    found = []
    for node in ast.walk(ast.parse(helpers.without_magics(source))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        count = {"publish": 1, "publish_range": 2}.get(node.func.attr, 0)
        named = (keyword.value for keyword in node.keywords if keyword.arg in ("value", "low", "high"))
        values = [*node.args[1 : 1 + count], *named]
        for value in values:
            parts = list(ast.walk(value))
            typed = any(isinstance(part, ast.Constant) and not isinstance(part.value, str) for part in parts)
            if typed and not any(isinstance(part, (ast.Name, ast.Call, ast.Attribute)) for part in parts):
                found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_publish_no_typed_constant(path, helpers):
    """A number that others printed is looked up, facts.published('...'), with its source."""
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    faults = [call for cell in cells for call in literals_published(cell.source, helpers)]
    assert not faults, f"{path.name}: look these up in the registry or compute them: {faults}"


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('book.publish("quota", 50000, "H100")', 1),
        ('book.publish("share", -1.5e3 * 2)', 1),
        ('book.publish("share", value=15)', 1),
        ('book.publish_range("yield", 20, 40, "%")', 2),
        ('book.publish("share", 100 * share, "%")', 0),
        ('book.publish("n", len([1, 2]))', 0),
        ('book.publish_text("winner", "H20")', 0),
    ],
)
def test_a_typed_constant_is_noticed(source, count, helpers):
    assert len(literals_published(source, helpers)) == count
