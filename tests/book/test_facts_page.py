"""The page is written from the registry, whole and accessible, and a role leads from prose to its row."""

import gzip
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from computegap import facts
from computegap.book.sphinx import facts_page

CONF = """
extensions = ["myst_parser", "computegap.book.sphinx.facts_page"]
html_theme = "basic"
exclude_patterns = ["_build"]
"""
VENDORS = list(dict.fromkeys(chip.vendor for chip in facts.chips()))
HTML = {name: table(VENDORS) for name, table in facts_page.TABLES.items()}
WHOLE = "".join(HTML.values())
IDS = re.findall(r'\bid="([^"]*)"', WHOLE)


def build(folder, pages):
    """Build pages with Sphinx; return the output folder and the warnings."""
    source = folder / "source"
    (source / "reference").mkdir(parents=True)
    (source / "conf.py").write_text(CONF, encoding="utf-8")
    for name, text in pages.items():
        (source / name).write_text(text, encoding="utf-8")
    warnings = (folder / "warnings").open("w+", encoding="utf-8")
    folders = (source, source, folder / "out", folder / "trees")
    # What Sphinx registers with docutils is global, and a second build in this process would stumble over it.
    with docutils_namespace():
        Sphinx(*folders, "html", status=None, warning=warnings).build()
    warnings.seek(0)
    return folder / "out", warnings.read()


TABLE_PAGE = "# Numbers\n\n```{facts-table} chips\n:vendors: Huawei\n```\n\n```{facts-table} rules\n```\n"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    roles = [
        "{fact}`910B.mem_gb`",
        "{fact}`910C.mem_bw_gbs|TB/s|.1f`",
        "{fact}`910B.bf16|range`",
        "{fact}`oct2023.tpp_a`",
    ]
    text = "# Home\n\n" + "\n\n".join(roles) + "\n\n```{toctree}\nreference/every-number\n```\n"
    out, warnings = build(
        tmp_path_factory.mktemp("book"), {"index.md": text, "reference/every-number.md": TABLE_PAGE}
    )
    assert warnings == ""
    return {
        p.stem: p.read_text(encoding="utf-8")
        for p in (out / "index.html", out / "reference/every-number.html")
    }


def test_a_role_prints_the_value_and_leads_to_its_row(book):
    links = re.findall(r'<a class="cg-fact[^"]*" href="([^"]*)" title="([^"]*)">(.*?)</a>', book["index"])
    assert [text for *_, text in links] == [
        "64\u00a0GB",
        "3.2\u00a0TB/s",
        "280 to 414\u00a0TFLOP/s",
        "4,800\u00a0TPP",
    ]
    ids = set(re.findall(r'\bid="([^"]*)"', book["every-number"]))
    for address, title, _ in links:
        page, _, row = address.partition("#")
        assert page == "reference/every-number.html"
        assert row in ids
        assert re.search(r"\. (Datasheet|Law|Analyst estimate): .*\d{4}", title)


WRONG = {
    "{fact}`H20.bf61`": "Did you mean bf16",
    "{fact}`H2O.bf16`": "Did you mean H20.bf16",
    "{fact}`MI308X.bf16`": "no value that can be trusted",
    "{fact}`H20.bf16|GB`": "cannot turn TFLOP/s",
    "{fact}`H20.bf16|wide`": "[Ii]nvalid format|Unknown format",
    "```{facts-table} chip\n```": "no table 'chip'",
    "```{facts-table} chips\n:vendors: Nvidea\n```": "NVIDIA",
}


@pytest.fixture(scope="module")
def warnings_by_page(tmp_path_factory):
    pages = {f"page{i}.md": f"---\norphan: true\n---\n# Page\n\n{text}\n" for i, text in enumerate(WRONG)}
    pages["index.md"] = "# Home\n"
    _, warnings = build(tmp_path_factory.mktemp("wrong"), pages)
    # A warning may take several lines; each begins with the path of its page.
    blocks = re.split(r"(?m)^(?=\S*page\d\.md)", warnings)
    return {name: "".join(b for b in blocks if f"{name}:" in b[:400]) for name in pages}


@pytest.mark.parametrize(("number", "warning"), list(enumerate(WRONG.values())), ids=list(WRONG))
def test_an_unknown_or_untrusted_value_is_a_warning(warnings_by_page, number, warning):
    found = warnings_by_page[f"page{number}.md"]
    assert re.search(warning, found), found


def test_every_fact_has_its_row_once():
    assert len(IDS) == len(set(IDS))
    keys = [fact.key for chip in facts.chips() for fact in chip.facts.values()]
    keys += [row.key for row in (*facts.fabs(), *facts.production())]
    keys += [fact.key for system in facts.systems() for fact in system.facts.values()]
    keys += [row.key for row in (*facts.collectives(), *facts.low_communication())]
    keys += [row.key for row in (*facts.interruptions(), *facts.sizing(), *facts.published_results())]
    keys += [fact.key for edition in facts.editions() for fact in edition.limits.values()]
    assert {facts_page.anchor(key) for key in keys} <= set(IDS)
    assert len({facts_page.anchor(key) for key in keys}) == len(keys)


def test_anchors_are_stable():
    assert facts_page.anchor("H20 96GB.bf16") == "fact-h20-96gb-bf16"
    assert facts_page.anchor("smic-n+2.yield.910c-2025") == "fact-smic-nplus2-yield-910c-2025"
    assert facts_page.anchor("oct2023.tpp_a") == "fact-oct2023-tpp-a"


def test_links_inside_the_page_lead_somewhere():
    assert set(re.findall(r'href="#([^"]*)"', WHOLE)) <= set(IDS)


class _Checker(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.faults, self.tables, self.captions = [], [], 0, 0

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tables += tag == "table"
        self.captions += tag == "caption"
        if tag == "th" and attrs.get("scope") not in ("row", "col"):
            self.faults.append("th without scope")
        if tag not in ("input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")


def test_tables_have_captions_and_scopes_and_closed_tags():
    checker = _Checker()
    checker.feed(WHOLE)
    assert not checker.faults
    assert not checker.open
    assert checker.tables == checker.captions > 80


def test_rows_show_range_kind_source_and_doubt():
    row = re.search(r'<tr id="fact-ascend-910b-b2-b3-bf16">.*?</tr>', WHOLE)[0]
    for part in ("376", "range 280 to 414", "analyst estimate, contested", "https://epoch.ai", "2026-01-14"):
        assert part in row
    assert "recalled, not checked" in re.search(r'<tr id="fact-h200-sxm-price-usd">.*?</tr>', WHOLE)[0]
    blank = re.search(r'<tr class="cg-blank">(?:(?!</tr>).)*fact-mi308x-bf16.*?</tr>', WHOLE)[0]
    assert "not known: the only public figure" in blank


def test_text_from_the_registry_cannot_break_the_page(monkeypatch):
    nasty = facts.chip("H20").bf16
    monkeypatch.setattr(facts_page, "_source_html", lambda source, date: "")
    row = facts_page._row(facts.Fact(**{**vars(nasty), "note": '<script>"x"</script>'}), "a & b")
    assert "<script>" not in row
    assert "A &amp; b" in row


def test_the_page_is_light():
    assert len(gzip.compress(WHOLE.encode())) < 80 * 1024


def test_the_page_of_the_book_shows_every_table_and_every_vendor():
    page = (Path(__file__).parents[2] / "reference" / "every-number.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\{facts-table\} (\w+)", page)) == set(facts_page.TABLES)
    named = {v.strip() for line in re.findall(r":vendors: (.*)", page) for v in line.split(",")}
    assert named == set(VENDORS)


def test_no_two_readings_of_a_table_have_the_same_name():
    for name in ("collectives", "low", "interruptions", "sizing"):
        for table in re.findall(r"<table.*?</table>", HTML[name]):
            labels = re.findall(r'<th scope="row">(.*?)</th>', table)
            twice = {label for label in labels if labels.count(label) > 1}
            assert not twice, twice


def test_sizes_are_written_in_the_unit_that_fits():
    assert facts_page._size(2**33) == "8 GiB"
    assert facts_page._size(2**15) == "32 KiB"
    assert facts_page._size(512) == "512 B"
