"""Searching layouts: complete, consistent with a single prediction, within memory, and quick."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from computegap.cluster.layouts import USABLE, memory_bytes, sweep
from computegap.cluster.step_time import Hardware, Job, Layout, Model, Practice, check, step_time

SMALL = Model(layers=8, hidden=1024, heads=8, kv_heads=8, head_dim=128, ffn=4096, vocab=32000, seq_len=1024)
GPT = Model(
    layers=96, hidden=12288, heads=96, kv_heads=96, head_dim=128, ffn=49152, vocab=51200, seq_len=2048
)
H100 = Hardware(989e12, 3.35e12, 450e9, 50e9, memory=80e9, per_node=8, matmul_ceiling=0.8)


def test_a_search_finds_what_trying_everything_finds():
    found = sweep(SMALL, H100, 16, 64, recompute=("nothing",), sharding=("zero1",), micro_batch=(1, 2))
    best, count = np.inf, 0
    for tensor in (1, 2, 4, 8):
        for pipeline in (1, 2, 4, 8):
            for chunks in (1, 2, 4, 8):
                for micro in (1, 2):
                    data, left = divmod(16, tensor * pipeline)
                    split = chunks == 1 or (pipeline > 1 and 8 % (pipeline * chunks) == 0)
                    if left or not data or 64 % (data * micro) or not split:
                        continue
                    layout = Layout(
                        16, 64, tensor, pipeline, data, chunks=chunks, micro_batch=micro, sharding="zero1",
                        sequence_parallel=tensor > 1,
                    )  # fmt: skip
                    count += 1
                    best = min(best, float(step_time(Job(SMALL, H100, layout)).total))
    assert len(found) == count
    assert found.seconds[0] == pytest.approx(best, rel=1e-12)


def test_the_ranking_rises_and_what_fits_comes_first():
    found = sweep(GPT, H100, 1024, 1536)
    inside = int(found.fits.sum())
    assert 0 < inside < len(found)
    assert found.fits[:inside].all()
    assert np.all(np.diff(found.seconds[:inside]) >= 0)
    assert found.memory[0] <= USABLE * 80e9 < found.memory[inside]
    layout = found.layout(0)
    check(Job(GPT, H100, layout))
    assert found.breakdown(0).total == pytest.approx(found.seconds[0], rel=1e-12)
    assert float(memory_bytes(Job(GPT, H100, layout))) == pytest.approx(found.memory[0])


def test_keeping_few_keeps_the_best():
    few, all_of_them = sweep(GPT, H100, 1024, 1536, keep=5), sweep(GPT, H100, 1024, 1536)
    assert len(few) == 5
    assert few.fits.all()
    assert np.array_equal(few.seconds, all_of_them.seconds[:5])


def test_interleaving_keeps_more_activations():
    """SC21, section 2.2: the interleaved schedule needs the bubble's time back in memory."""
    plain = Layout(64, 512, tensor=1, pipeline=8, data=8, chunks=1)
    several = [float(memory_bytes(Job(GPT, H100, replace(plain, chunks=chunks)))) for chunks in (1, 2, 6)]
    assert several[1] > several[2] > several[0]


def test_several_sizes_of_cluster_are_searched_together():
    together = sweep(GPT, H100, [256, 512], 1536, keep=100_000)
    apart = [sweep(GPT, H100, chips, 1536, keep=100_000) for chips in (256, 512)]
    assert together.tried == sum(one.tried for one in apart)
    assert len(together) == sum(len(one) for one in apart)
    assert together.seconds[0] == min(one.seconds[0] for one in apart)


def test_expert_parallelism_divides_ranks_and_experts():
    moe = replace(SMALL, experts=12, chosen=2, ffn=512)
    found = sweep(moe, H100, 24, 48)
    layout = found.job.layout
    assert set(np.unique(layout.expert)) > {1, 2}
    assert np.all(layout.data % layout.expert == 0)
    assert np.all(12 % layout.expert == 0)


@settings(deadline=None)  # the machine may be busy
@given(
    st.sampled_from([1, 2, 4, 8]), st.sampled_from(["none", "zero1", "zero2", "fsdp"]),
    st.sampled_from([1, 4]), st.sampled_from([0.0, 1.0]), st.booleans(),
)  # fmt: skip
def test_memory_falls_with_what_is_meant_to_save_it(tensor, sharding, micro_batch, recompute, sequence):
    layout = Layout(
        64 * tensor, 64 * 8 * micro_batch, tensor, 1, 64, micro_batch=micro_batch, sharding=sharding,
        recompute=recompute, sequence_parallel=sequence,
    )  # fmt: skip

    def memory(**changes):
        return float(memory_bytes(Job(GPT, H100, replace(layout, **changes))))

    assert memory(recompute=1.0) <= memory(recompute=0.0) + 1
    assert memory(sequence_parallel=True) <= memory(sequence_parallel=False)
    assert (
        memory(sharding="fsdp")
        < memory(sharding="zero2")
        < memory(sharding="zero1")
        < memory(sharding="none")
    )
    assert memory(micro_batch=2 * micro_batch, batch=2 * layout.batch) > memory()
    flash = memory_bytes(Job(GPT, H100, layout, Practice(attention="flash2")))
    written = memory_bytes(Job(GPT, H100, layout, Practice(attention="unfused")))
    assert flash <= written


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(ValueError, match="no layout of 7 chips divides a batch of 5"):
        sweep(GPT, H100, 7, 5)
    with pytest.raises(ValueError, match="at least 1"):
        sweep(GPT, H100, 0, 5)
    with pytest.raises(ValueError, match=r"Model.layers must be above zero"):
        sweep(replace(GPT, layers=0), H100, 8, 8)


def test_a_million_layouts_within_seconds():
    """The bar is five seconds for a million; a loaded machine gets three times as long."""
    chips = [2**k for k in range(3, 15)] + [3 * 2**k for k in range(2, 12)]
    start = time.perf_counter()
    found = sweep(
        GPT, H100, chips, 1536, micro_batch=(1, 2, 3, 4, 6, 8), chunks=(1, 2, 3, 4), context=(1, 2, 4),
        sharding=("none", "zero1", "fsdp"),
    )  # fmt: skip
    assert found.tried > 1_000_000
    assert (time.perf_counter() - start) * 1e6 / found.tried < 15
