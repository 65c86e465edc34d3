"""What the build does to a page, without a browser and without a build."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils import nodes
from hypothesis import given
from hypothesis import strategies as st

from computegap.book import style
from computegap.book.sphinx import book_map, glue, maths, package_reference, pages, settings, site_files

FORMULAS = [
    r"\frac{a}{b}",
    r"Y = \left(\frac{1-e^{-AD_0}}{AD_0}\right)^2",
    r"a < b \text{ and } b > c",
    r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
    r"\begin{align*} a &= b \\ c &= d \end{align*}",
    r"a \\ b",
    r"\begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}",
    r"\mathrm{FLOP/s} \le \min(P, I\,B)",
    r"\text{R&D}",
    r"5\,\% \approx \$3",
]


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("display", [True, False])
def test_formulas_become_well_formed_mathml(formula, display):
    markup = maths.to_mathml(formula, display=display)
    root = ET.fromstring(markup)
    assert root.tag.endswith("math")
    assert root.get("display") == ("block" if display else "inline")
    assert root.get("alttext") == formula
    assert "\\" not in "".join(root.itertext())


def test_an_alignment_becomes_a_table_with_a_row_a_line():
    root = ET.fromstring(maths.to_mathml(r"\begin{aligned} a &= b \\ c &= d \\ e &= f \end{aligned}"))
    rows = [element for element in root.iter() if element.tag.endswith("mtr")]
    assert [len(row) for row in rows] == [2, 2, 2]
    assert "text-align:right" in rows[0][0].get("style")


def test_words_set_upright_stay_one_word():
    assert "<mtext>FLOP/s</mtext>" in maths.to_mathml(r"\mathrm{FLOP/s}")


@pytest.mark.parametrize(
    ("formula", "complaint"),
    [
        (r"\undefinedmacro{x}", "unknown macro"),
        (r"\frac{a", "braces"),
        (r"a}{b", "braces"),
        ("a & b", "outside an alignment"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(formula, complaint):
    with pytest.raises(maths.MathsError, match=complaint):
        maths.to_mathml(formula)


@given(st.text(alphabet="abxyz0123456789+-=<>^_(){}\\ &.,", max_size=30))
def test_any_formula_is_drawn_or_refused_but_never_breaks_the_page(formula):
    try:
        markup = maths.to_mathml(formula)
    except maths.MathsError:
        return
    ET.fromstring(markup)


def test_tables_get_a_box_of_their_own_and_keep_their_content():
    wrapped = '<div class="table-wrapper docutils container">\n<table><tr><td>1</td></tr></table>\n</div>'
    body = wrapped + "<table></table>"
    tidied = pages.tidy(body)
    assert len(re.findall('<div class="table-scroll" role="group" aria-label="[^"]+">', tidied)) == 2
    assert "table-wrapper" not in tidied
    assert "<td>1</td>" in tidied


def test_folded_cells_are_named_by_what_is_seen():
    fold = (
        '<div class="cell tag_hide-cell tag_solution docutils container">\n'
        '<details class="hide above-input">\n<summary aria-label="Toggle hidden content">\n'
        '<p class="collapsed admonition-title">Show the code</p>\n'
        '<p class="expanded admonition-title">Hide the code</p>\n</summary>'
    )
    tidied = pages.tidy(fold)
    assert "aria-label" not in tidied
    assert "<p" not in tidied
    assert "Show a solution" in tidied
    assert "Show a solution" not in pages.tidy(fold.replace("tag_solution", ""))


def test_a_page_gets_the_scripts_that_it_uses(monkeypatch, tmp_path):
    for name in ("explorable.js", "explorable.css", "teaching.js", "teaching.css"):
        (tmp_path / name).touch()
    monkeypatch.setattr(pages, "PAGE_ASSETS", tmp_path)
    assert pages.page_assets("<p>text</p>") == ([], [])
    assert pages.page_assets('<div class="a cg-explorable b">') == (["explorable.css"], ["explorable.js"])
    assert pages.page_assets('<figure class="cg-figure">') == (["explorable.css"], [])
    styles, scripts = pages.page_assets('<i class="cg-teach"></i><i class="cg-explorable cg-figure"></i>')
    assert sorted(styles) == ["explorable.css", "teaching.css"]
    assert sorted(scripts) == ["explorable.js", "teaching.js"]


def test_every_colour_of_the_palette_reaches_the_page_in_both_themes():
    css = pages.color_css()
    for name, light, dark in zip(style.LIGHT, style.LIGHT.values(), style.DARK.values(), strict=True):
        assert light in css, name
        assert css.count(dark) == 2, f"{name}: once for the chosen theme, once for the system's"


def document(*paragraphs: str) -> nodes.document:
    from docutils.utils import new_document

    doc = new_document("test")
    section = nodes.section()
    section.extend(nodes.paragraph("", text) for text in paragraphs)
    doc += section
    return doc


@given(
    st.lists(
        st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=12),
        min_size=12,
        max_size=80,
    )
)
def test_descriptions_end_at_a_word_and_fit(words):
    text = " ".join(words)
    shown = pages.description(document(text), "fallback")
    assert len(shown) <= 160
    if shown.endswith("…"):
        assert text.startswith(shown[:-1])
        assert text[len(shown) - 1] == " "


def test_reading_time_grows_with_the_words():
    short, long = (pages.reading_minutes(document(*["word " * 300] * n)) for n in (1, 10))
    assert short == 1
    assert long == round(3000 / pages.WORDS_PER_MINUTE)


def config(tmp_path: Path, url: str) -> Path:
    file = tmp_path / "_config.yml"
    file.write_text(f"repository:\n  url: {url}\n  branch: trunk\n", encoding="utf-8")
    return file


def test_all_addresses_follow_from_the_one_in_the_settings(tmp_path):
    repository = settings.read_repository(config(tmp_path, "https://github.com/Some-Body/a.book/"))
    assert repository.pages_url == "https://some-body.github.io/a.book/"
    assert repository.binder("chapters/x.ipynb").endswith(
        "/gh/Some-Body/a.book/trunk?urlpath=lab/tree/chapters/x.ipynb"
    )
    assert repository.colab("chapters/x.ipynb").endswith(
        "/github/Some-Body/a.book/blob/trunk/chapters/x.ipynb"
    )
    assert repository.edit("x.md") == "https://github.com/Some-Body/a.book/edit/trunk/x.md"
    assert settings.base_path(repository.pages_url) == "/a.book/"


@pytest.mark.parametrize("url", ["", "github.com/a/b", "https://example.org/a/b", "https://github.com/a"])
def test_a_wrong_address_is_refused_with_the_right_form(tmp_path, url):
    with pytest.raises(ValueError, match=r"https://github\.com/owner/name"):
        settings.read_repository(config(tmp_path, url))


def test_the_sitemap_names_the_first_page_by_the_folder():
    xml = site_files.sitemap(["index.html", "chapters/a.html"], "https://x.org/book/")
    places = re.findall("<loc>(.*?)</loc>", xml)
    assert places == ["https://x.org/book/chapters/a.html", "https://x.org/book/"]


def test_minified_css_says_the_same():
    small = site_files.minify_css(
        "/* note */ a , b > c {\n  color : red ;\n}\n@media (a) and (b) { p { margin: 0 1px } }"
    )
    assert small == "a,b>c{color : red}@media (a) and (b){p{margin: 0 1px}}"


def test_the_map_reads_parts_and_chapters():
    assert book_map.parse_map(["# One", "01-a: Why?", "", "02-b: What: how?"]) == [
        ("One", [("01-a", "Why?"), ("02-b", "What: how?")])
    ]


@pytest.mark.parametrize("lines", [["01-a: Why?"], ["# One", "no colon"], ["# One", "01-a:"]])
def test_a_map_that_makes_no_sense_is_refused(lines):
    with pytest.raises(ValueError, match="book-map"):
        book_map.parse_map(lines)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("key", "key"),
        ("key:.1f", "key:.1f"),
        ("../a.ipynb::key", "../a.ipynb::key:s"),
        ("a.ipynb::key:.1f",) * 2,
    ],
)
def test_glue_from_another_page_gets_a_format(text, wanted):
    assert glue.with_format(text) == wanted


def test_the_reference_finds_public_modules_only():
    names = [module.__name__ for module in package_reference.public_modules("computegap.chips")]
    assert names[0] == "computegap.chips"
    assert "computegap.chips.roofline" in names
    assert not any("._" in name for name in names)
    assert not any(".sphinx" in m.__name__ for m in package_reference.public_modules("computegap.book"))
    with pytest.raises(LookupError, match="no package"):
        package_reference.public_modules("computegap.nowhere")


def test_a_page_knows_its_part_of_the_book():
    tree = SimpleNamespace(caption="Back", items=["glossary", "package/index"])
    below = SimpleNamespace(items=["package/part-*"])
    children = {"package/index": SimpleNamespace(subtrees=[below])}
    site_map = SimpleNamespace(root=SimpleNamespace(subtrees=[tree]), get=children.get)
    app = SimpleNamespace(env=SimpleNamespace(external_site_map=site_map))
    assert pages._place(app, "glossary") == "Back"
    assert pages._place(app, "package/part-one") == "Back"
    assert pages._place(app, "intro") == ""
