"""The step-time model: parts that add up, quantities that only help, and errors that say what is wrong."""

import re
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from computegap.cluster import calibration, judge, published_runs
from computegap.cluster.calibration import FITTED, LATER, PRIOR, Calibration
from computegap.cluster.step_time import (
    PARTS,
    Hardware,
    Job,
    Layout,
    Model,
    Practice,
    check,
    step_time,
    with_chip,
)

GPT = Model(
    layers=96, hidden=12288, heads=96, kv_heads=96, head_dim=128, ffn=49152, vocab=51200, seq_len=2048
)
MOE = replace(
    GPT,
    layers=48,
    hidden=4096,
    heads=32,
    kv_heads=8,
    ffn=1536,
    experts=64,
    chosen=8,
    dense_layers=0,
    dense_ffn=0,
)
H100 = Hardware(989e12, 3.35e12, 450e9, 50e9, memory=80e9, per_node=8, matmul_ceiling=0.8)
PLAIN = Layout(chips=1024, batch=1536, tensor=8, pipeline=8, data=16, chunks=4, sharding="zero1")

SPREAD = Layout(chips=256, batch=2048, pipeline=4, data=64, expert=64, chunks=4, sharding="zero1")

layouts = st.builds(
    lambda t, p, d, c, m, v, sharding, recompute, sequence: Layout(
        chips=t * p * d * c, batch=d * m * 8, tensor=t, pipeline=p, data=d, context=c, micro_batch=m,
        chunks=v if p > 1 else 1, sharding=sharding if p == 1 else "zero1", recompute=recompute,
        recompute_attention=recompute, sequence_parallel=sequence,
    ),
    st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 2, 8, 64]),
    st.sampled_from([1, 2]), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 6]),
    st.sampled_from(["none", "zero1", "zero2", "zero3", "fsdp"]), st.sampled_from([0.0, 0.5, 1.0]),
    st.booleans(),
)  # fmt: skip
practices = st.builds(
    Practice,
    attention=st.sampled_from(["unfused", "flash1", "flash2", "vendor"]),
    elementwise=st.sampled_from(["fused", "eager", "compiled"]),
    loss=st.sampled_from(["library", "sharded"]),
    tensor_overlap=st.booleans(), data_overlap=st.booleans(), split_sends=st.booleans(),
    expert_overlap=st.booleans(), expert_grouped=st.booleans(),
    gathers=st.booleans(), one_card=st.booleans(), blocking_engine=st.booleans(), input_checks=st.booleans(),
)  # fmt: skip
models = st.sampled_from([GPT, MOE])


@settings(deadline=None)  # the machine may be busy
@given(models, layouts, practices)
def test_parts_are_not_negative_and_add_up(model, layout, practice):
    found = step_time(Job(model, H100, layout, practice))
    assert set(found.parts) == set(PARTS)
    assert min(float(seconds) for seconds in found.parts.values()) >= 0
    assert float(sum(found.parts.values())) == pytest.approx(float(found.total), rel=1e-12)
    assert found.low < found.total < found.high


@settings(deadline=None)  # the machine may be busy
@given(
    models, layouts, practices,
    st.sampled_from(["peak", "memory_bandwidth", "link", "network", "matmul_ceiling", "power", "low_peak"]),
    st.floats(1.01, 4),
)  # fmt: skip
def test_better_hardware_is_never_slower(model, layout, practice, quantity, factor):
    chip = replace(H100, power=0.5, matmul_ceiling=0.2, low_peak=1979e12 if quantity == "low_peak" else 0.0)
    job = Job(model, chip, layout, practice)
    better = with_chip(job, **{quantity: getattr(chip, quantity) * factor})
    assert step_time(better).total <= step_time(job).total * (1 + 1e-12)


@settings(deadline=None)  # the machine may be busy
@given(models, practices, st.sampled_from(["none", "zero1", "fsdp"]))
def test_one_chip_sends_nothing(model, practice, sharding):
    found = step_time(Job(model, H100, Layout(chips=1, batch=4, sharding=sharding), practice))
    for part in (
        "tensor",
        "context",
        "expert",
        "sharding",
        "send",
        "bubble",
        "imbalance",
        "data",
        "straggle",
    ):
        assert found[part] == 0


@settings(deadline=None)  # the machine may be busy
@given(st.lists(layouts, min_size=2, max_size=6), practices)
def test_an_array_of_layouts_gives_what_each_of_them_gives(several, practice):
    columns = {f.name: np.array([getattr(one, f.name) for one in several]) for f in fields(Layout)}
    together = step_time(Job(GPT, H100, Layout(**columns), practice))
    for i, one in enumerate(several):
        alone = step_time(Job(GPT, H100, one, practice))
        assert together.total[i] == pytest.approx(float(alone.total), rel=1e-12)
        for part in PARTS:
            assert together[part][i] == pytest.approx(float(alone[part]), rel=1e-12, abs=1e-15)


def test_the_layer_that_korthikanti_timed():
    """Table 4: a layer of the 22B model on 8 A100s takes 7.7 ms forward and 11.9 ms backward."""
    a100 = Hardware(312e12, 2.039e12, 300e9, 25e9, matmul_ceiling=0.869)
    model = replace(GPT, layers=48, hidden=6144, heads=64, kv_heads=64, head_dim=96, ffn=24576)
    layout = Layout(chips=8, batch=4, tensor=8, micro_batch=4)
    practice = Practice(attention="unfused", loss="sharded", gradient_bytes=2)
    found = step_time(Job(model, a100, layout, practice))
    layer = sum(found[part] for part in ("matmul", "attention", "elementwise", "tensor", "launch")) / 48
    assert layer == pytest.approx(19.6e-3, rel=0.10)


@pytest.mark.parametrize(
    ("model", "seq_len", "published"),
    [
        ("Llama-405B", 4096, 2448e9),
        ("DeepSeek-V3", 4096, 250e9),
    ],
)
def test_training_operations_of_table_2_of_insights(model, seq_len, published):
    """GFLOP for each token in training, attention under its mask (ISCA 2025, table 2)."""
    shapes = {
        "Llama-405B": Model(126, 16384, 128, 8, 128, 53248, 128256, seq_len, gated=True),
        "DeepSeek-V3": Model(
            61, 7168, 128, 128, 160, 2048, 129280, seq_len, gated=True, experts=256, chosen=8,
            shared=1, dense_layers=3, dense_ffn=18432, latent=True,
        ),
    }  # fmt: skip
    shape = shapes[model]
    busy = replace(shape, experts=0, ffn=0)  # the layers without their MLPs
    sparse = shape.layers - shape.dense_layers if shape.experts else 0
    width = sparse * shape.ffn * (shape.chosen + shape.shared) + (shape.layers - sparse) * (
        shape.dense_ffn if shape.experts else shape.ffn
    )
    weights = busy.layers * busy.attention_weights + 3 * shape.hidden * width + shape.vocab * shape.hidden
    scores = 6 * shape.layers * seq_len * shape.heads * shape.head_dim
    assert 6 * weights + scores == pytest.approx(published, rel=0.03)


def test_deepseek_v3_has_671_billion_parameters():
    model = Model(
        61, 7168, 128, 128, 192, 2048, 129280, 4096, gated=True, experts=256, chosen=8, shared=1,
        dense_layers=3, dense_ffn=18432, latent=True,
    )  # fmt: skip
    assert model.parameters == pytest.approx(671e9, rel=0.005)


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        (replace(PLAIN, chips=1000), "1000 chips, is 1024"),
        (replace(PLAIN, tensor=5, chips=640), "must divide 96 heads"),
        (replace(PLAIN, chunks=16), "need as many layers, there are 96"),
        (replace(PLAIN, batch=8), "less than 1 sequences on 16 ranks"),
        (replace(PLAIN, sharding="zero4"), "zero4.*one of none, zero1"),
        (replace(PLAIN, micro_batch=0), "Layout.micro_batch must be above zero"),
        (replace(PLAIN, recompute=-1), "Layout.recompute must be zero or more"),
    ],
)
def test_a_layout_that_makes_no_sense_is_refused(layout, said):
    with pytest.raises(ValueError, match=said):
        step_time(Job(GPT, H100, layout))


def test_other_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"Hardware.peak must be above zero and finite, got nan"):
        step_time(Job(GPT, replace(H100, peak=float("nan")), PLAIN))
    with pytest.raises(ValueError, match=r"flash9.*one of unfused"):
        step_time(Job(GPT, H100, PLAIN, Practice(attention="flash9")))
    with pytest.raises(ValueError, match=r"Model.layers must be above zero"):
        check(Job(replace(GPT, layers=0), H100, PLAIN))


def test_intervals_are_wider_where_less_is_known():
    def width(job):
        found = step_time(job)
        return float((found.high - found.low) / found.total)

    plain = width(Job(GPT, H100, PLAIN))
    low = width(Job(GPT, replace(H100, low_peak=1979e12), PLAIN))
    experts = width(Job(MOE, H100, replace(PLAIN, pipeline=4, chips=512)))
    assert plain < low < experts


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from([8, 16, 32, 64]), practices, st.sampled_from([0, 2, 4]), st.floats(1.01, 20))
def test_more_network_is_never_slower_for_experts(spread, practice, limit, factor):
    job = Job(replace(MOE, nodes_limit=limit), H100, replace(SPREAD, expert=spread), practice)
    less, more = (step_time(with_chip(job, network=50e9 * f)) for f in (1, factor))
    assert more["expert"] <= less["expert"] * (1 + 1e-12)
    assert more.total <= less.total * (1 + 1e-12)


def test_experts_inside_a_node_need_no_network_and_across_nodes_a_card_each():
    inside = Job(MOE, H100, replace(SPREAD, expert=8))
    assert step_time(inside)["expert"] == step_time(with_chip(inside, network=1e9))["expert"]
    across = Job(MOE, H100, SPREAD)
    slow, fast = (step_time(with_chip(across, network=rate))["expert"] for rate in (5e9, 10e9))
    assert slow == pytest.approx(2 * float(fast))
    wide = with_chip(across, per_node=64)
    assert step_time(wide)["expert"] < step_time(across)["expert"]


def test_hiding_the_exchange_leaves_the_leak_or_what_is_too_long():
    shown = step_time(Job(MOE, H100, SPREAD))
    hidden = step_time(Job(MOE, H100, SPREAD, Practice(expert_overlap=True)))
    assert 0 < hidden["expert"] < shown["expert"]
    assert hidden.total < shown.total


def test_a_slower_link_shows_where_tensor_parallelism_uses_it():
    job = Job(GPT, H100, PLAIN)
    cut = with_chip(job, link=200e9)
    fast, slow = step_time(job), step_time(cut)
    assert 1.7 * fast["tensor"] < slow["tensor"] < 2.25 * fast["tensor"]  # 2.25 but for latency
    assert slow["matmul"] == fast["matmul"]
    inside = Job(GPT, H100, replace(PLAIN, chips=128, tensor=1))
    assert step_time(with_chip(inside, link=200e9))["tensor"] == 0


def test_the_record_is_what_its_command_fits():
    """The shipped knobs are the result of the fit, within its own tolerance."""
    book = published_runs.load()
    rows = book.take(book.judged)
    found = judge.fit_without(rows, None)
    for knob in fields(Calibration):
        if knob.name not in LATER:
            assert getattr(found, knob.name) == pytest.approx(getattr(FITTED, knob.name), rel=0.03), knob.name
    later = judge.fit_later(book.take(~book.judged), None)
    for name in LATER:
        assert getattr(later, name) == pytest.approx(getattr(FITTED, name), rel=0.03), name


def test_knobs_stay_near_their_priors():
    """The fit moves no knob by more than three widths of its prior: it corrects, it doesn't invent."""
    width = np.array([getattr(calibration.WIDTH, f.name) for f in fields(Calibration)])
    moved = np.abs(FITTED.vector() - PRIOR.vector()) / width
    assert moved.max() < 3
    assert list(calibration.REASONS) == [f.name for f in fields(Calibration)]
    again = Calibration.from_vector(PRIOR.vector())
    assert again.vector() == pytest.approx(PRIOR.vector())


def test_fit_finds_knobs_that_made_the_data():
    book = published_runs.load()
    rows = book.take(book.judged)
    predict = judge.predictor(rows)
    true = replace(PRIOR, matmul_reach=0.75, flash_reach=1.3)
    found = calibration.fit(predict, predict(true), np.ones(len(rows)), strength=0.01)
    assert found.matmul_reach == pytest.approx(0.75, rel=0.02)
    assert found.flash_reach == pytest.approx(1.3, rel=0.03)


def test_calibration_command_prints_the_record(capsys):
    assert calibration.main(["--fit"]) == 0
    printed = capsys.readouterr().out
    found = dict(re.findall(r"(\w+)=([\d.e-]+)", printed))
    assert {knob.name for knob in fields(Calibration)} == set(found)
    assert float(found["matmul_reach"]) == pytest.approx(FITTED.matmul_reach, rel=0.01)
    assert "INTERVAL = (" in printed
    with pytest.raises(SystemExit):
        calibration.main([])
