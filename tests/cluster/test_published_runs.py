"""The table of published runs: read whole, joined with what the software does, and never by a row's name."""

import csv

import numpy as np
import pytest

from computegap.cluster import published_runs
from computegap.cluster.published_runs import Runs, hardware
from computegap.cluster.step_time import step_time

KNOWN = {"read", "recalled", "inferred", "assumption"}


def book_rows() -> list[dict[str, str]]:
    with (published_runs.DATA / "cluster_runs.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def one(**changes) -> Runs:
    row = next(row for row in book_rows() if row["id"] == "mpt_089")
    return published_runs.read([row | changes])


def test_every_row_is_predicted_or_named_with_a_reason():
    book = published_runs.load()
    assert len(book) + len(book.left_out) == len(book_rows()) == 390
    assert book.judged.sum() == 256
    assert all(book.left_out.values())
    assert np.isfinite(step_time(book.job, checked=True).total).all()


def test_degrees_and_batches_of_all_rows_multiply():
    layout = published_runs.load().job.layout
    assert np.array_equal(layout.tensor * layout.pipeline * layout.data * layout.context, layout.chips)
    assert np.allclose(layout.micro_batches, np.round(layout.micro_batches))
    assert layout.micro_batches.min() >= 1


def test_names_and_families_change_no_prediction():
    rows = book_rows()
    renamed = [
        row | {"id": f"r{i}", "family": "f", "model": "m", "url": "", "locator": ""}
        for i, row in enumerate(rows)
    ]
    before, after = published_runs.read(rows), published_runs.read(renamed)
    assert np.array_equal(step_time(before.job, checked=True).total, step_time(after.job, checked=True).total)


def test_every_judged_publication_has_its_practice():
    keys = {published_runs.practice_of(row)["key"] for row in published_runs.load().rows}
    assert "defaults" not in keys
    for row in published_runs.practices():
        assert row["known"] in KNOWN
        assert len(row["evidence"]) > 40
        assert row["url"].startswith("https://") or row["key"] == "defaults"
    assert published_runs.practices()[-1]["key"] == "defaults"


def test_a_publication_that_nobody_listed_gets_the_defaults():
    runs = one(source="somebody, somewhere")
    assert runs.job.practice.attention[0] == "flash2"
    assert runs.job.practice.data_overlap[0]
    assert published_runs.practice_of(runs.rows[0])["key"] == "defaults"


def test_what_a_row_leaves_open_is_filled_by_the_stated_rules():
    runs = one(micro_batch="unk", vpp="unk", net_GBps_uni_per_accel="", head_dim="", kv_heads="", dp="")
    assert (runs.job.layout.micro_batch[0], runs.job.layout.chunks[0]) == (4, 1)
    assert runs.job.hardware.network[0] == 25e9
    assert (runs.job.model.head_dim[0], runs.job.model.kv_heads[0], runs.job.layout.data[0]) == (128, 40, 8)
    staged = one(pp="8", dp="1", vpp="unk", micro_batch="unk (local batch 8)")
    assert (staged.job.layout.micro_batch[0], staged.job.layout.chunks[0]) == (1, 5)


def test_schemes_of_recomputation():
    def shares(**changes):
        layout = one(**changes).job.layout
        return float(layout.recompute[0]), float(layout.recompute_attention[0])

    assert shares(recompute="full") == (1, 1)
    assert shares(recompute="none") == shares(recompute="unk") == (0, 0)
    assert shares(recompute="selective") == (0, 0)  # fused attention has nothing to save there
    assert shares(recompute="selective", source="Korthikanti et al. 2022") == (0, 1)
    assert shares(recompute="selective", source="pytorch/torchtitan") == (0.5, 0)
    assert shares(recompute="selective layer") == (0.5, 0.5)


def test_rows_that_cannot_be_read_are_left_out_with_the_reason():
    good = book_rows()[0]
    bad = [good | {"id": "a", "hidden": "wide"}, good | {"id": "b", "recompute": "twice"}]
    bad += [good | {"id": "c", "kind": "mfu"}, good | {"id": "d", "step_time_s": ""}]
    runs = published_runs.read([good, *bad])
    assert len(runs) == 1
    assert set(runs.left_out) == {"a", "b", "c", "d"}
    assert "hidden must be a number, is 'wide'" in runs.left_out["a"]
    assert "one of none, full" in runs.left_out["b"]


def test_a_table_without_columns_or_rows_is_refused():
    row = dict(book_rows()[0])
    del row["hidden"], row["tp"]
    with pytest.raises(ValueError, match="needs the columns hidden, tp too"):
        published_runs.read([row])
    with pytest.raises(ValueError, match="no row is a timed step"):
        published_runs.read([book_rows()[0] | {"kind": "mfu"}])


def test_power_and_precision_come_from_the_row():
    book = published_runs.load()
    capped = np.array(["500W" in row["accel"] for row in book.rows])
    assert np.allclose(book.job.hardware.power[capped], 5 / 7)
    assert np.all(book.job.hardware.power[~capped] == 1)
    assert np.all((book.job.hardware.low_peak > 0) == ~book.bf16)


def test_flags_name_rows_of_the_table():
    assert set(published_runs.flags()) <= {row["id"] for row in book_rows()}


def test_chips_of_the_registry():
    h800 = hardware("H800", per_node=16, memory=1e9)
    assert (h800.link, h800.per_node, h800.memory) == (200e9, 16, 1e9)
    assert h800.peak == pytest.approx(989e12, rel=0.001)
    assert hardware("A100").older_kernels == 1
    assert h800.older_kernels < 1
    assert hardware("Ascend 910C").matmul_ceiling == 0.8
    with pytest.raises(LookupError):
        hardware("H9000")
