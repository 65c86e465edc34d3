"""Numbers in the prose of a live notebook: what a cell sends to the page, and when it sends nothing."""

from __future__ import annotations

import html
import json
import re
from types import SimpleNamespace

import pytest

from computegap.book import assets, live, numbers, session

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

START = 'from computegap import book\nbook.start("01-model")'


def carried(page: str) -> dict[str, str]:
    """The numbers in an output that brings some."""
    return json.loads(html.unescape(re.search(r'data-cg-numbers="([^"]*)"', page).group(1)))


def time_of(page: str) -> int:
    """When an output with numbers was made."""
    return int(re.search(r'data-cg-time="(\d+)"', page).group(1))


@pytest.fixture
def run(monkeypatch):
    """Run cells in a kernel; the HTML outputs of each that belong to the prose, and all that is streamed."""

    def execute(*sources, site=False):
        monkeypatch.setenv("COMPUTEGAP_SITE", "1" if site else "0")
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
        nbclient.NotebookClient(notebook, kernel_name="python3", timeout=120, allow_errors=True).execute()
        outputs = [cell.outputs for cell in notebook.cells]
        pages = [
            [page for o in cell if "cg-prose" in (page := o.get("data", {}).get("text/html", ""))]
            for cell in outputs
        ]
        return pages, "".join(o.text for cell in outputs for o in cell if o.output_type == "stream")

    return execute


@pytest.fixture
def sent(monkeypatch):
    """A live session without a kernel; the list takes what would be displayed."""
    pages = []
    hooks = []
    events = SimpleNamespace(register=lambda event, hook: hooks.append((event, hook)))
    shell = SimpleNamespace(kernel=object(), user_ns={}, events=events)
    monkeypatch.delenv("COMPUTEGAP_SITE", raising=False)
    monkeypatch.setattr(session, "current", session.Session())
    monkeypatch.setattr(session, "shell", lambda: shell)
    monkeypatch.setattr(live, "_display", pages.append)
    monkeypatch.setattr(live, "_sent", {})
    monkeypatch.setattr(numbers, "_glue", lambda name, text: None)
    return SimpleNamespace(pages=pages, hooks=hooks, shell=shell)


def test_a_cell_sends_numbers_once_and_again_when_they_change(run):
    pages, streams = run(
        START,
        'book.publish("ridge", 74, "FLOP/byte"); book.publish("cost", 1234, "$")',
        "1 + 1",
        'book.publish("ridge", 74, "FLOP/byte")',
        'book.publish("ridge", 75, "FLOP/byte")',
    )
    assert streams == ""
    assert [len(cell) for cell in pages] == [1, 1, 0, 0, 1]
    assert "<script>" in pages[0][0]
    first, second = pages[1][0], pages[4][0]
    assert carried(first) == {"ridge": "74\u00a0FLOP/byte", "cost": "$1,234"}
    assert carried(second) == {"ridge": "75\u00a0FLOP/byte", "cost": "$1,234"}
    assert time_of(second) > time_of(first)
    assert "<script" not in first + second


def test_starting_again_sends_script_and_numbers_again_and_leaves_one_hook(run):
    publish = 'book.publish("ridge", 74)'
    pages, _ = run(START, publish, START, publish)
    assert [len(cell) for cell in pages] == [1, 1, 1, 1]


def test_numbers_of_a_cell_that_fails_are_sent_too(run):
    pages, _ = run(START, 'book.publish("x", 1); 1 / 0')
    assert carried(pages[1][0]) == {"x": "1"}


def test_the_site_gets_none_of_it(run):
    pages, streams = run(START, 'book.publish("ridge", 74)', site=True)
    assert pages == [[], []]
    assert streams == ""


def test_colab_gets_a_sentence_and_no_script(run):
    colab = 'import sys, types\nsys.modules["google.colab"] = types.ModuleType("google.colab")\n'
    pages, streams = run(colab + START, 'book.publish("ridge", 74)')
    assert pages == [[], []]
    assert streams == live._NOTE + "\n"
    assert 'book.number("name")' in live._NOTE


def test_visual_studio_code_gets_the_sentence(sent, capsys):
    sent.shell.user_ns["__vsc_ipynb_file__"] = "chapter.ipynb"
    live.start()
    assert capsys.readouterr().out == live._NOTE + "\n"
    assert sent.pages == sent.hooks == []


def test_nothing_happens_outside_a_kernel(sent, monkeypatch, capsys):
    monkeypatch.setattr(session, "shell", lambda: None)
    live.start()
    live.send_numbers()
    assert sent.pages == sent.hooks == []
    assert capsys.readouterr().out == ""


def test_the_hook_belongs_to_the_end_of_a_cell(sent):
    live.start()
    assert sent.hooks == [("post_run_cell", live.send_numbers)]
    live.send_numbers()
    assert len(sent.pages) == 1  # the script; there is no number yet
    numbers.publish("x", 1)
    live.send_numbers()
    live.send_numbers()
    assert len(sent.pages) == 2


def test_the_site_is_left_alone_even_with_the_hook_in_place(sent, monkeypatch):
    numbers.publish("x", 1)
    monkeypatch.setenv("COMPUTEGAP_SITE", "1")
    live.send_numbers()
    assert sent.pages == []


@pytest.mark.parametrize("text", ['"><script>alert(1)</script>', "a & b", "'", "\\", "1\u00a0%"])
def test_a_number_can_hold_any_sign(text):
    page = live.numbers_html({"x": text})
    assert carried(page) == {"x": text}
    assert "<script" not in page


def test_the_script_is_small_and_writes_no_markup():
    script = assets.text("prose.js")
    assert len(script.encode()) <= 2048
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|fetch|</", script)
    assert set(re.findall(r"window\.(\w+)", script)) == {"cgProse"}
