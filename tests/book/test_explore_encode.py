"""States as differences: what is encoded comes back, whatever the trees; and it is small."""

from __future__ import annotations

import gzip
import importlib.util
import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from computegap.book.explore import encode, svg

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn", "Zl", "Zp")), max_size=8
)
NUMBERS = st.builds(svg.number, st.floats(-5000, 5000), st.integers(0, 4))


def canonical(tree):
    """Markup in which the order of attributes doesn't count."""
    return ET.canonicalize(svg.dumps(tree))


@st.composite
def attributes(draw):
    """Attributes as figures have them: paths of numbers, and free text; some come and go."""
    out = {}
    if draw(st.booleans()):
        out["d"] = "M" + "L".join(f"{draw(NUMBERS)},{draw(NUMBERS)}" for _ in range(draw(st.integers(1, 3))))
    if draw(st.booleans()):
        out["x"] = draw(NUMBERS)
    if draw(st.booleans()):
        out["style"] = draw(TEXT)
    return out


@st.composite
def families(draw):
    """A grid shape, a default, and one tree per state: same skeleton, with now and then another branch."""
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    count = math.prod(shape)
    parents = draw(st.lists(st.integers(0, 3), min_size=1, max_size=6))
    trees = []
    for _ in range(count):
        nodes = [ET.Element("svg", {"viewBox": "0 0 1 1"})]
        for n, parent in enumerate(parents):
            nodes.append(ET.SubElement(nodes[min(parent, n)], "g", draw(attributes())))
        if draw(st.integers(0, 4)) == 0:
            ET.SubElement(nodes[-1], draw(st.sampled_from(["path", "use"])), draw(attributes()))
        for node in nodes:
            if not len(node):
                node.text = draw(TEXT)
        trees.append(nodes[0])
    return trees, shape, draw(st.integers(0, count - 1))


@settings(max_examples=150, deadline=None)
@given(families())
def test_every_state_comes_back(family):
    trees, shape, default = family
    before = [canonical(t) for t in trees]
    packed = encode.unpack(encode.pack(encode.encode(trees, shape, default)))
    assert [canonical(encode.decode(packed, trees[default], i)) for i in range(len(trees))] == before


def paths(*ds):
    trees = []
    for d in ds:
        root = ET.Element("svg")
        ET.SubElement(root, "path", {"d": d})
        trees.append(root)
    return trees


def test_constant_parts_are_not_stored():
    assert encode.encode(paths("M1,2", "M1,2", "M1,2"), [3])["slots"] == []


def test_a_column_is_stored_once_however_often_it_is_used():
    encoded = encode.encode(paths("M1,1L5,1", "M2,2L5,2", "M4,4L5,4"), [3])
    assert sum(count for _, count, _ in encoded["columns"]) == 1
    assert len(encoded["slots"][0][4]) == 3


def test_an_attribute_of_another_shape_is_stored_as_text():
    encoded = encode.encode(paths("M1,2", "M1,2L3,4"), [2])
    assert encoded["slots"][0][2] == -1
    assert encoded["slots"][0][3] == ["M1,2", "M1,2L3,4"]


def test_a_steady_change_costs_little():
    ramp = [f"M0,{7 * k}" for k in range(100)]
    assert len(encode.pack(encode.encode(paths(*ramp), [100]))) < 200


def test_a_number_that_would_not_survive_stays_text():
    encoded = encode.encode(paths("M1.50,2", "M1.5,3"), [2])  # 1.50 would come back as 1.5
    assert encoded["slots"][0][2] == -1


def test_a_grid_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"3 trees do not fill a grid of shape \(2, 2\)"):
        encode.encode(paths("M1", "M2", "M3"), [2, 2])


def test_a_state_outside_the_grid_is_refused():
    trees = paths("M1", "M2")
    with pytest.raises(IndexError, match="outside the grid"):
        encode.decode(encode.encode(trees, [2]), trees[0], 2)


@pytest.mark.parametrize("x", [0.0, -0.0, 0.04, -0.04, 1.25, 100, -1234.5678])
def test_numbers_are_short(x):
    text = svg.number(x, 2)
    assert float(text) == pytest.approx(x, abs=0.0051)
    assert text != "-0"
    assert "." not in text or text[-1] not in "0."


def load_demo():
    path = Path(__file__).resolve().parents[2] / "bench/explorables/demo.py"
    spec = importlib.util.spec_from_file_location("roofline_demo", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_144_states_of_a_roofline_fit_into_20_kib(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPUTEGAP_CACHE", str(tmp_path))
    figure = load_demo().explorable()
    assert len(figure.states()) == 144
    html = figure.static_html()
    assert len(gzip.compress(html.encode(), 9)) <= 20 * 1024
    # and all of them come back out of what the page holds
    packed = html.split('class="cg-states">')[1].split("<")[0]
    uid = html.split('id="')[1].split('"')[0]
    trees = figure.frames(uid)
    default = figure.states().index(figure.default)
    again = [canonical(encode.decode(encode.unpack(packed), trees[default], i)) for i in range(144)]
    assert again == [canonical(t) for t in trees]
    assert json.dumps(encode.unpack(packed)["shape"]) == "[12, 12]"
