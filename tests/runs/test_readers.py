"""Every format gives the same run; what is broken is counted, and told; nothing is overwritten or executed."""

import json
import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from dumps import DUMPS, ROWS, responses

from kltheory.runs.convert import convert
from kltheory.runs.measured import Measured, measure
from kltheory.runs.reader import ALIASES, readers
from kltheory.runs.schema import COLUMNS, NoRun


def of(folder: Path, **options: object) -> Measured:
    return measure([folder], **options)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("home")
    ROWS.write_parquet(folder / "run.parquet")
    return of(folder)


ANOTHER_OLD = {"slime", "prime-rl"}
"""There the weight is over the policy itself, or over the inference engine's."""


@pytest.mark.parametrize("name", DUMPS)
def test_every_format_gives_the_same_run(name, tmp_path, home):
    write, reader, lacks = DUMPS[name]
    write(tmp_path)
    found = of(tmp_path)
    assert found.reader.name == reader
    assert set(found.missing) >= lacks - {"mask"}
    assert "surprise" in found.means
    needs = {r.name: r.needs for r in home.ratios}
    means = [m for m in found.means.keys() & home.means.keys() if name not in ANOTHER_OLD or "logp_old" not in needs[m]]
    if "mask" not in lacks:
        assert found.run.good == home.run.good
        for mean in means:
            assert found.means[mean].value == pytest.approx(home.means[mean].value, rel=1e-12, abs=1e-13), mean


@pytest.mark.parametrize("name", DUMPS)
def test_conversion_changes_nothing(name, tmp_path):
    write, *_ = DUMPS[name]
    (tmp_path / "in").mkdir()
    write(tmp_path / "in")
    to = tmp_path / "out" / "run.parquet"
    to.parent.mkdir()
    assert list(convert([tmp_path / "in"], to).lines()) == []
    before, after = of(tmp_path / "in"), of(to.parent)
    assert {k: m.value for k, m in before.means.items()} == pytest.approx(
        {k: m.value for k, m in after.means.items()}, rel=1e-12, abs=1e-14
    )
    assert sorted(p.name for p in to.parent.iterdir()) == ["run.parquet"]


def test_nothing_is_overwritten(tmp_path):
    ROWS.write_parquet(tmp_path / "run.parquet")
    size = (tmp_path / "run.parquet").stat().st_size
    with pytest.raises(NoRun, match="is there already"):
        convert([tmp_path / "run.parquet"], tmp_path / "run.parquet")
    assert (tmp_path / "run.parquet").stat().st_size == size


# --- broken files -----------------------------------------------------------------------------------------------------
def test_truncated_lines_are_counted_and_the_others_kept(tmp_path):
    rows = list(responses())
    text = "".join(json.dumps(r) + "\n" for r in rows)
    (tmp_path / "run.jsonl").write_text(text[: -len(json.dumps(rows[-1])) // 2] + "\n[1, 2]\n", encoding="utf-8")
    found = of(tmp_path)
    assert [line.split(": ", 1)[1] for line in found.lost] == ["2 left out: lines that are no JSON object"]
    assert found.run.total == ROWS.height - len(rows[-1]["logp"])


def test_ragged_responses_are_counted(tmp_path):
    rows = list(responses())
    rows[0]["logp_ref"] = rows[0]["logp_ref"][:-1]
    (tmp_path / "run.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    found = of(tmp_path)
    assert found.run.total == ROWS.height - len(rows[0]["logp"])
    assert "1 left out: responses whose columns have several lengths" in found.lost[0]


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_row_may_be_a_response_of_lists(suffix, tmp_path, home):
    keys = ["step", "response"]
    lists = ROWS.sort(*keys, "position").group_by(keys, maintain_order=True).agg(pl.all())
    (lists.write_parquet if suffix == "parquet" else lists.write_ipc)(tmp_path / f"run.{suffix}")
    found = of(tmp_path)
    assert {k: m.value for k, m in found.means.items()} == pytest.approx(
        {k: m.value for k, m in home.means.items()}, rel=1e-12, abs=1e-14
    )


def test_files_may_hold_other_widths_of_numbers(tmp_path):
    half = ROWS.height // 2
    ROWS.head(half).write_parquet(tmp_path / "a.parquet")
    ROWS.tail(-half).with_columns(pl.col("logp").cast(pl.Float32)).write_parquet(tmp_path / "b.parquet")
    assert of(tmp_path).run.total == ROWS.height


def test_a_mask_that_is_no_number_counts_nothing(measured):
    mask = pl.when(pl.col("mask")).then(1.0).otherwise(float("nan"))
    assert measured(ROWS.with_columns(mask=mask)).run.good == measured(ROWS).run.good


def no_parquet(to: Path) -> None:
    (to / "run.parquet").write_bytes(b"hello")


def no_table(to: Path) -> None:
    (to / "run.csv").write_text("")


def no_numbers(to: Path) -> None:
    np.savez(to / "run.npz", logp=np.array([None, 1.0], dtype=object))


def several_lengths(to: Path) -> None:
    pl.DataFrame({"response": [0], "logp": [[-1.0, -2.0]], "logp_ref": [[-1.0]]}).write_parquet(to / "run.parquet")


@pytest.mark.parametrize("write", [no_parquet, no_table, no_numbers, several_lengths])
def test_what_cannot_be_read_is_said(write, tmp_path):
    write(tmp_path)
    with pytest.raises(NoRun, match=r"^run\.\w+ cannot be read: "):
        of(tmp_path)


SPOILED = {
    "nan": (
        lambda r: r.with_columns(logp=pl.when(pl.int_range(pl.len()) % 7 == 0).then(float("nan")).otherwise("logp")),
        "logp is no finite number",
    ),
    "infinite": (
        lambda r: r.with_columns(
            logp_ref=pl.when(pl.int_range(pl.len()) % 5 == 0).then(float("-inf")).otherwise("logp_ref")
        ),
        "logp_ref is no finite number",
    ),
    "missing": (
        lambda r: r.with_columns(advantage=pl.when(pl.int_range(pl.len()) % 5 == 0).then(None).otherwise("advantage")),
        "advantage is no finite number",
    ),
    "positive": (
        lambda r: r.with_columns(logp_old=pl.when(pl.int_range(pl.len()) % 3 == 0).then(0.5).otherwise("logp_old")),
        "logp_old is positive",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_bad_rows_are_counted_and_the_others_measured(name, measured):
    spoil, said = SPOILED[name]
    rows = spoil(ROWS)
    found = measured(rows)
    ((text, count),) = found.run.faults.items()
    assert text.startswith(said)
    assert 0 < count < ROWS.height
    assert found.run.good + count + found.run.masked == ROWS.height
    assert np.isfinite([m.value for m in found.means.values()]).all()


REFUSED = {
    "no rows": (lambda r: r.head(0), "there are no rows"),
    "nothing counts": (lambda r: r.with_columns(mask=pl.lit(False)), "the mask leaves out every token"),
    "all positive": (lambda r: r.with_columns(logp=-pl.col("logp")), "no row of .* counts: .* logp is positive"),
    "log10": (lambda r: r.with_columns(logp_old=pl.col("logp_old") / np.log(10)), "logp_old is logp in log10"),
    "log2": (lambda r: r.with_columns(logp_sampler=pl.col("logp_sampler") / np.log(2)), "logp_sampler is logp in log2"),
    "no logp": (lambda r: r.drop("logp"), r"there is no column logp \(there are: .*--columns logp=NAME"),
    "no response": (lambda r: r.drop("response", "position"), "there is no column response"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_run_is_refused_with_what_to_do(name, measured):
    spoil, said = REFUSED[name]
    with pytest.raises(NoRun, match=said):
        measured(spoil(ROWS))


def test_shuffled_rows_are_the_same_run(measured):
    a, b = measured(ROWS).means, measured(ROWS.sample(fraction=1, shuffle=True, seed=3)).means
    for part in ("value", "error"):
        x, y = ({k: getattr(m, part) for k, m in means.items()} for means in (a, b))
        assert x == pytest.approx(y, rel=1e-9, abs=1e-12)


def test_a_million_tiny_groups(measured):
    n = 200_000
    random = np.random.default_rng(0)
    logp = -random.exponential(1, n)
    rows = pl.DataFrame({"response": np.arange(n), "group": np.arange(n), "logp": logp, "logp_ref": logp - 0.1})
    mean = measured(rows).means["k1"]
    assert mean.clusters == n
    assert mean.value == pytest.approx(0.1, rel=1e-10, abs=0)  # plain sums of so many round so much


def test_pickles_are_not_run(tmp_path):
    class Code:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    (tmp_path / "run.pt").write_bytes(pickle.dumps({"log_probs": Code()}))
    with pytest.raises(NoRun, match="to unpickle it would run its code"):
        of(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_what_no_reader_knows_is_said(tmp_path):
    (tmp_path / "run.txt").write_text("a dump", encoding="utf-8")
    with pytest.raises(NoRun, match=r"no reader knows run\.txt: --reader one of"):
        of(tmp_path)
    with pytest.raises(NoRun, match="there is no file"):
        of(tmp_path / "nowhere")
    with pytest.raises(NoRun, match="there is no reader 'verl'"):
        of(tmp_path, reader="verl")


def test_columns_can_be_named(tmp_path):
    ROWS.rename({"logp": "mine"}).write_parquet(tmp_path / "run.parquet")
    with pytest.raises(NoRun, match="there is no column logp"):
        of(tmp_path)
    assert of(tmp_path, columns={"logp": "mine"}).run.total == ROWS.height
    with pytest.raises(NoRun, match="there is no column yours"):
        of(tmp_path, columns={"logp": "yours"})


def test_aliases_lead_to_columns_and_readers_are_small():
    assert set(ALIASES.values()) <= set(COLUMNS)
    assert not set(ALIASES) & set(COLUMNS)
    for reader in readers().values():
        file = Path(__file__).parents[2] / "kltheory" / "runs" / "readers" / f"{reader.name.replace('-', '_')}.py"
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 45


TEXTS = {
    "trl": {"prompt": "1 + 1", "completion": "2", "reward": 1.0},
    "verl": {"input": "1 + 1", "output": "2", "score": 1.0},
}


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize("name", TEXTS)
def test_dumps_of_texts_are_told_what_to_add(name, kind, tmp_path):
    frame = pl.DataFrame([TEXTS[name]])
    file = tmp_path / f"run.{kind}"
    frame.write_ndjson(file) if kind == "jsonl" else frame.write_parquet(file)
    with pytest.raises(NoRun, match="no log-probabilities: add these lines") as refused:
        of(tmp_path)
    lines = str(refused.value).split("\n\n", 1)[1]
    assert len(lines.splitlines()) <= 11
    compile(lines, name, "exec")
