"""The bars, held; and a judge that would say so if they weren't."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from computegap.cluster import calibration, judge, published_runs


@pytest.fixture(scope="module")
def verdict() -> judge.Verdict:
    return judge.judge()


def test_the_bars_hold(verdict):
    assert verdict.error() <= 0.10
    assert verdict.macro() <= 0.12
    assert verdict.beaten() == []
    assert all(verdict.bars.values())


def test_constant_utilisation_is_the_recorded_rival(verdict):
    """Its errors were recorded once by others, families left out: 20.3 over rows, 21.3 over families."""
    assert 100 * verdict.error("constant") == pytest.approx(20.3, abs=1.0)
    assert 100 * verdict.macro("constant") == pytest.approx(21.3, abs=1.0)


def test_the_interval_covers_what_it_says(verdict):
    assert judge.interval(verdict) == pytest.approx(calibration.INTERVAL, abs=0.005)
    rows, families = judge.coverage(verdict)
    assert 0.7 <= rows <= 0.9
    assert 0.65 <= families <= 0.95


def test_what_the_priors_alone_reach_is_said(verdict):
    """Most of the accuracy comes from counting and from published rates, not from the fit."""
    assert verdict.error("shipped") < verdict.error("unfitted") < 0.10
    assert "priors alone: micro" in judge.describe(verdict)


def test_a_family_is_predicted_without_itself(verdict):
    """What a family measured has no influence on what is predicted for it."""
    book = published_runs.load()
    rows = book.take(book.judged)
    changed = replace(rows, seconds=np.where(rows.family == "torchtitan", 10 * rows.seconds, rows.seconds))
    knobs = [judge.fit_without(table, "torchtitan") for table in (rows, changed)]
    assert knobs[0] == knobs[1]
    assert judge.utilisation_without(rows, "torchtitan") == judge.utilisation_without(changed, "torchtitan")
    assert judge.utilisation_without(rows, None) != judge.utilisation_without(changed, None)


def test_a_useless_model_would_miss_the_bars(verdict):
    bad = replace(verdict, predicted=2 * verdict.predicted)
    assert not any(bad.bars.values())
    assert "FAIL: micro" in judge.describe(bad)


def test_weights_are_half_by_row_and_half_by_family():
    weight = judge.row_weights(np.array(["a", "a", "a", "b"]))
    assert weight.sum() == pytest.approx(1)
    assert weight[3] == pytest.approx(0.5 / 4 + 0.5 / 2)


def test_the_least_mean_error_of_one_utilisation(verdict):
    rows = verdict.runs
    best = judge.utilisation_without(rows, None)

    def error(utilisation):
        return np.abs(judge.constant_seconds(rows, utilisation) / rows.seconds - 1).mean()

    assert all(error(best) <= error(best * (1 + step)) for step in (-0.05, -0.01, -0.002, 0.002, 0.01, 0.05))


def test_the_other_rows_have_errors_of_their_own():
    rest = judge.judge_rest()
    assert len(rest.runs) == len(published_runs.load()) - 256
    assert rest.error(rest.runs.dense) < 0.15
    assert rest.error(~rest.runs.dense) < 0.25
    text = judge.describe_rest(rest)
    assert "with experts" in text
    assert "GPT OSS 120B" in text


def test_any_table_of_the_format_can_be_judged(tmp_path, capsys):
    with (published_runs.DATA / "cluster_runs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    some = [row | {"note_of_ours": "x"} for row in rows if row["family"] in ("mt_nlg", "llama3_405b")]
    path = tmp_path / "runs.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, some[0])
        writer.writeheader()
        writer.writerows(some)
    assert judge.main(["--runs", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "pass: micro" in printed
    assert "llama3_405b_16384_s131072: step_time_s must be a number" in printed
    assert judge.judge_rest(published_runs.load(path)) is None


def test_a_table_without_rows_to_judge_is_refused():
    book = published_runs.load()
    with pytest.raises(ValueError, match="dense model in BF16"):
        judge.judge(book.take(~book.judged))


def test_recorded_errors_are_of_the_same_families(verdict):
    families = {family for _, family in judge.recorded()}
    assert families <= {*verdict.families, "all", "macro"}
    assert judge.recorded()["calculon", "all"] == 23.1
