"""The page of published runs shows every row, says where each comes from, and stays light."""

import csv
import gzip
import re
from html.parser import HTMLParser
from pathlib import Path

from computegap import facts
from computegap.book.sphinx import runs_page

HTML = {name: table() for name, table in runs_page.TABLES.items()}
WHOLE = "".join(HTML.values())
PAGE = (Path(__file__).parents[2] / "reference" / "published-runs.md").read_text(encoding="utf-8")


def test_every_run_has_a_row_and_leads_to_its_publication():
    rows = re.findall(r'<tr><th scope="row".*?</tr>', HTML["runs"])
    assert len(rows) == len(facts.cluster_runs())
    anchors = re.findall(r'<tr id="([^"]*)"', HTML["publications"])
    assert len(anchors) == len(set(anchors)) == len(facts.publications())
    assert {re.search(r'href="#([^"]*)"', row)[1] for row in rows} == set(anchors)


def test_publications_name_their_address_and_count_all_rows():
    assert sum(p.rows for p in facts.publications()) == len(facts.cluster_runs())
    for p in facts.publications():
        assert f'href="{p.url}"' in HTML["publications"]


def test_rows_show_machine_layout_and_what_was_printed():
    row = next(r for r in re.findall(r'<tr><th scope="row".*?</tr>', HTML["runs"]) if "GPT-39.1B" in r)
    for part in (
        "512 x A100",
        "TP 8, PP 2, DP 32",
        "batch 1536 x 2048",
        "TFLOP/s (incl. recompute)",
        "s a step",
    ):
        assert part in row, part


def test_layouts_leave_out_what_is_one():
    row = {"tp": "1", "pp": "4", "dp": "", "cp": "1", "ep": "8", "dp_shard": "none", "global_batch": ""}
    assert runs_page._layout(row) == "PP 4, EP 8"


class _Checker(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.faults, self.tables, self.captions = [], [], 0, 0

    def handle_starttag(self, tag, attrs):
        self.tables += tag == "table"
        self.captions += tag == "caption"
        if tag == "th" and dict(attrs).get("scope") not in ("row", "col"):
            self.faults.append("th without scope")
        self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")


def test_tables_are_well_formed():
    checker = _Checker()
    checker.feed(WHOLE)
    assert not checker.faults
    assert not checker.open
    assert checker.tables == checker.captions == len(runs_page.TABLES)


def test_the_page_is_light_and_shows_every_table():
    assert len(gzip.compress(WHOLE.encode())) < 20 * 1024
    assert set(re.findall(r"\{runs-table\} (\w+)", PAGE)) == set(runs_page.TABLES)


def test_the_files_offered_are_there():
    offered = re.findall(r"\{download\}`[^<]*<\.\./([^>]*)>`", PAGE)
    assert len(offered) == 5
    root = Path(__file__).parents[2]
    assert all((root / name).is_file() for name in offered)


def test_a_remark_stands_with_its_row():
    path = Path(__file__).parents[2] / "src/computegap/facts/data/cluster_run_flags.csv"
    with path.open(encoding="utf-8", newline="") as file:
        remarks = list(csv.DictReader(file))
    ids = {row["id"] for row in facts.cluster_runs()}
    assert remarks
    assert {remark["id"] for remark in remarks} <= ids
    assert all(runs_page.escape(remark["note"]) in HTML["runs"] for remark in remarks)


def test_addresses_are_named_and_lead_out():
    links = re.findall(r'<a href="([^"]*)">(.*?)</a>', HTML["practice"])
    assert links
    assert all(address.startswith("https://") and " " not in address and words for address, words in links)
