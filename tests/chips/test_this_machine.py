"""Measuring the reader's machine: plausible, explained, and never a crash."""

import pytest
import torch

from computegap.chips import this_machine
from computegap.chips.this_machine import (
    KIB,
    MIB,
    Machine,
    Measured,
    cache_drops,
    cpu_flags,
    cpu_name,
    explain,
    measure_bandwidth,
    measure_machine,
    measure_rate,
)
from computegap.experiment import spread


@pytest.fixture(scope="module")
def machine():
    return measure_machine(1.0, sizes=(96 * KIB, 3 * MIB, 48 * MIB))


def test_measures_what_every_machine_has(machine):
    assert machine.cpu
    assert machine.cores >= 1
    fp32 = machine.rates["fp32"].value
    # From a Raspberry Pi to a large server; one digit off in the units falls outside.
    assert 1e8 < fp32.mean < 1e14
    assert 1e8 < machine.bandwidth.value.mean < 1e13
    assert fp32.n >= 3


def test_stays_near_the_time_it_was_given(machine):
    assert machine.seconds < 15


def test_every_value_has_a_reason(machine):
    for measured in [*machine.rates.values(), machine.bandwidth, *machine.cache.values()]:
        assert measured.reason
        assert measured.what in str(measured)


def test_report_has_a_row_for_each_rate_and_for_memory(machine):
    rows = machine.report()
    assert [row[0] for row in rows] == [r.what for r in (*machine.rates.values(), machine.bandwidth)]
    assert all("G" in value or value == "no value" for _, value, _ in rows)


def test_roofline_of_this_machine(machine):
    roof = machine.roofline("fp32")
    assert roof.peak[0] <= machine.rates["fp32"].value.mean <= roof.peak[1]
    assert roof.kind == "measured"
    assert machine.rates[machine.fastest].value.mean >= machine.rates["fp32"].value.mean


def test_bandwidth_counts_three_arrays(monkeypatch):
    class Slow:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.seconds = 0.5

    monkeypatch.setattr(this_machine, "Timer", Slow)
    n_bytes = 24_000_000  # three arrays of 2 million floats: one loop, so 24 MB in half a second
    assert measure_bandwidth(n_bytes, 0.01).mean == pytest.approx(48e6)
    assert measure_rate("fp32", 100, 0.01).mean == pytest.approx(2 * 100**3 / 0.5)


def test_a_precision_that_fails_is_absent_with_its_reason(monkeypatch):
    def refuse(*_):
        raise RuntimeError("not implemented for 'Char'\nlong trace")

    monkeypatch.setattr(torch, "_int_mm", refuse)
    found = measure_machine(0.3, precisions=("fp32", "int8"), sizes=(96 * KIB,))
    assert found.rates["int8"].value is None
    assert "not implemented for 'Char'" in found.rates["int8"].reason
    assert "no value" in str(found.rates["int8"])
    with pytest.raises(LookupError, match="has no value here"):
        found.roofline("int8")
    with pytest.raises(LookupError, match="no precision 'fp8'"):
        found.roofline("fp8")


def test_reasons_follow_flags_and_ratio():
    assert "none of amx_bf16" in explain("bf16", 50.0, 100.0, frozenset({"avx2"}))
    assert "0.50 of fp32" in explain("bf16", 50.0, 100.0, frozenset({"avx2"}))
    assert "the processor has avx512_bf16" in explain("bf16", 250.0, 100.0, frozenset({"avx512_bf16"}))
    assert "2.5 times fp32" in explain("bf16", 250.0, 100.0, frozenset({"avx512_bf16"}))
    assert "little use of it" in explain("int8", 10.0, 100.0, frozenset({"avx512_vnni"}))
    assert "does not list" in explain("fp32", 10.0, 10.0, frozenset())
    assert "about as fast" in explain("int8", 100.0, 100.0, frozenset({"avx2"}))


def test_names_and_flags_never_fail(monkeypatch):
    assert isinstance(cpu_name(), str)
    assert isinstance(cpu_flags(), frozenset)
    for system in ("Windows", "Darwin", "Linux"):
        monkeypatch.setattr(this_machine.platform, "system", lambda system=system: system)
        assert cpu_name()


def test_drops_mark_where_a_cache_ends():
    def at(rate):
        return Measured("triad", "B/s", spread([rate, rate]), "made up")

    cache = {2**15: at(100e9), 2**16: at(95e9), 2**20: at(50e9), 2**25: at(10e9)}
    fixed = Machine("cpu", 1, 1, "AVX2", frozenset(), {}, at(10e9), cache, 0.0)
    assert [(small, large) for small, large, _ in cache_drops(fixed)] == [(2**16, 2**20), (2**20, 2**25)]
    with pytest.raises(LookupError, match="no precision could be measured"):
        _ = fixed.fastest


def test_bad_arguments():
    with pytest.raises(ValueError, match="positive seconds"):
        measure_machine(0)
    with pytest.raises(ValueError, match="do not fit"):
        measure_bandwidth(5)
    with pytest.raises(LookupError, match="no precision 'fp4'"):
        measure_rate("fp4")
