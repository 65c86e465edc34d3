"""The figure at the top of the book agrees with the registry and with arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from computegap import facts
from computegap.book import landing


def test_every_chip_on_offer_rests_on_trusted_values():
    assert landing.offered()
    for name in landing.offered():
        assert facts.chip(name).trusted("bf16", "mem_bw_gbs")


@pytest.mark.parametrize("name", landing.CHIPS)
def test_share_goes_from_the_ratio_of_bandwidths_to_that_of_peaks(name):
    chip, reference = facts.chip(name), facts.chip(landing.REFERENCE)
    assert landing.share_of_reference(name, 0.5) == pytest.approx(chip.mem_bw_gbs / reference.mem_bw_gbs)
    assert landing.share_of_reference(name, 1e5) == pytest.approx(chip.bf16 / reference.bf16)
    share = landing.share_of_reference(name, np.geomspace(1, 1e5, 50))
    ends = sorted((share[0], share[-1]))
    assert np.all((share >= ends[0] * (1 - 1e-9)) & (share <= max(ends[1], 1) * (1 + 1e-9) + 0.5))


def test_the_reference_is_as_fast_as_itself():
    assert np.allclose(landing.share_of_reference(landing.REFERENCE, np.array(landing.INTENSITIES)), 1)


def test_the_h20_leads_where_memory_decides_and_trails_where_arithmetic_does():
    assert landing.share_of_reference("H20", 1) > 1
    assert landing.share_of_reference("H20", 4096) < 0.5


def test_sentence_and_picture_agree():
    ratio = landing.share_of_reference("H20", 512)
    assert f"{100 * ratio:.0f} %" in landing.describe("H20", 512)
    texts = [text.get_text() for text in landing.draw("H20", 512).axes[0].texts]
    assert f"H20: {ratio:.2f}" in texts
    assert "times as fast" in landing.describe("H20", 1)
    assert "1 operation for" in landing.describe("H20", 1)
