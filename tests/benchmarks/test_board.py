"""Board of models: runs of equal budgets, their metrics and the report."""

import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from harness import ROOT
from keras_gans import benchmark
from keras_gans.benchmarks import quality
from keras_gans.cli import child
from keras_gans.errors import UserError


def row(model, seed, kid, **more):
    found = {"coverage": 0.5, "recall": 0.25, "seconds": 60.0, "images": 6400}
    found |= {"curve": [[30.0, 2 * kid], [60.0, kid]], "steps": 100, "held_out": True}
    found |= {"measured": "classifier:fashion, fashion, 100", "machine": "a machine"}
    return {"model": model, "seed": seed, "kid": kid, **found, **more}


ROWS = [
    row("worse", 0, 8.0),
    row("worse", 1, 10.0),
    row("better", 0, 2.0, accuracy=0.9),
]


def make_board(folder, rows=ROWS):
    contest = {"dataset": "fashion", "budget": 60, "num": 100}
    folder.mkdir(exist_ok=True)
    text = json.dumps({"contest": contest, "rows": rows})
    (folder / "board.json").write_text(text)


def test_table_is_sorted_and_says_mean_and_deviation():
    title, _, first, second = quality.table(ROWS).splitlines()
    assert "label accuracy" in title and "MiB" not in title
    assert first.startswith("| `better` | 1 | 2 | 0.500 |") and "0.900" in first
    assert second.startswith("| `worse` | 2 | 9 ± 1.41 | 0.500 ± 0.000 |")


def points_of(svg, run):
    """Points of a run's line, in the units of the SVG."""
    space = "{http://www.w3.org/2000/svg}"
    [group] = [g for g in svg.iter(f"{space}g") if g.get("id") == run]
    numbers = re.findall(r"[ML] ([\d.]+) ([\d.]+)", group.find(f"{space}path").get("d"))
    return [(float(x), float(y)) for x, y in numbers]


def test_plot_is_an_svg_with_a_line_for_each_run():
    svg = ElementTree.fromstring(quality.plot(ROWS))
    texts = {text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert {"better", "worse", "KID (lower is better)", "seconds of training"} <= texts
    lines = {run: points_of(svg, run) for run in ("worse_0", "worse_1", "better_0")}
    for (x0, y0), (x1, y1) in lines.values():
        # Lower KID is further down (larger y); later is further right.
        assert x1 > x0 and y1 > y0
    # KID 16 -> 8, 20 -> 10 and 4 -> 2, on one scale
    falls = [lines[run][1][1] - lines[run][0][1] for run in lines]
    assert falls[1] / falls[0] == pytest.approx(10 / 8, rel=1e-4)
    assert falls[2] / falls[0] == pytest.approx(2 / 8, rel=1e-4)
    for curve in ([], [[0.0, 2.0], [0.0, 1.0]], [[5.0, -0.1]]):
        ElementTree.fromstring(quality.plot([row("one", 0, 1.0) | {"curve": curve}]))


def test_same_rows_are_the_same_plot(tmp_path):
    program = (
        "import json, sys, matplotlib\n"
        "from keras_gans.benchmarks import quality\n"
        "matplotlib.rcParams['font.size'] = 20\n"  # a style set by the user
        "sys.stdout.buffer.write(quality.plot(json.loads(sys.argv[1])))\n"
    )
    command = [sys.executable, "-c", program, json.dumps(ROWS)]
    assert subprocess.check_output(command) == quality.plot(ROWS)


def test_missing_matplotlib_is_one_line(tmp_path, capsys, monkeypatch):
    make_board(tmp_path / "board")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    args = ["report", f"--out={tmp_path / 'board'}", f"--docs={tmp_path / 'docs'}"]
    assert benchmark.main(args) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "pip install matplotlib" in line and not (tmp_path / "docs").exists()


def test_report_writes_docs_and_the_page_between_its_marks(tmp_path, capsys):
    make_board(tmp_path / "board")
    page = tmp_path / "page.md"
    page.write_text(f"before\n{quality.MARKS[0]}\nold\n{quality.MARKS[1]}\nafter\n")
    args = ["report", f"--out={tmp_path / 'board'}", f"--docs={tmp_path / 'docs'}"]
    assert benchmark.main([*args, f"--readme={page}"]) == 0
    text = page.read_text()
    assert text.startswith(f"before\n{quality.MARKS[0]}\n")
    assert text.endswith(f"{quality.MARKS[1]}\nafter\n") and "old" not in text
    table = quality.table(ROWS)
    assert table in text and table in (tmp_path / "docs" / "board.md").read_text()
    assert "60 seconds of training" in text and "a machine" in text
    assert (tmp_path / "docs" / "board.svg").is_file()
    assert benchmark.main([*args, f"--readme={page}"]) == 0
    assert page.read_text() == text  # unchanged by a second report
    page.write_text("no marks")
    capsys.readouterr()
    assert benchmark.main([*args, f"--readme={page}"]) == 2
    assert "board: begin" in capsys.readouterr().err and page.read_text() == "no marks"
    assert benchmark.main(["report", f"--out={tmp_path / 'none'}"]) == 2
    assert "no board" in capsys.readouterr().err


def test_folders_that_hold_something_else_are_refused(tmp_path, capsys):
    contest = quality.Contest("digits", 60, 1, 100)
    make_board(tmp_path / "board")
    (tmp_path / "runs" / "dcgan_0").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    for name, message in (
        ("board", "another contest"),
        ("runs", "expected a board or an empty folder"),
        ("file/board", "Not a directory"),
    ):
        with pytest.raises(UserError, match=message):
            quality.run({}, contest, str(tmp_path / name), None, "")
    args = ["report", f"--out={tmp_path / 'board'}", f"--docs={tmp_path / 'file'}"]
    assert benchmark.main(args) == 2
    assert "File exists" in capsys.readouterr().err
    (tmp_path / "board" / "board.json").write_text("[]")
    assert benchmark.main(args) == 2
    assert "no board" in capsys.readouterr().err


class Recipe:
    """Stand-in for a recipe, with the attributes that a board reads."""

    def __init__(self, name, text="a"):
        self.name, self.text = name, text

    def to_toml(self):
        """Return the text."""
        return self.text


def test_failed_runs_are_kept_and_changed_recipes_run_again(tmp_path, monkeypatch):
    made = []

    def run_one(model, name, seed, steps, contest, out):
        made.append((name, seed, steps))
        if name == "broken":
            return {"failed": "step 3: d_real is not finite"}
        found = row(name, seed, 4.0)
        return {
            k: found[k] for k in found.keys() - {"model", "seed", "steps", "images"}
        }

    class Pool:
        def __init__(self, *args):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *args):
            pass

        def submit(self, function, *args):
            class Task:
                def result(self):
                    return function(*args)

            return Task()

    monkeypatch.setattr(quality, "_run_one", run_one)
    monkeypatch.setattr(quality.concurrent.futures, "ProcessPoolExecutor", Pool)
    contest = quality.Contest("digits", 60, 2, 100)
    configs = {name: Recipe(name) for name in ("broken", "good")}

    def run():
        rows = quality.run(
            configs, contest, str(tmp_path / "b"), lambda *a: (2.5, 64), ""
        )
        assert rows == quality.read(str(tmp_path / "b"))["rows"]
        return rows

    rows = run()
    assert made == [(n, s, 150) for n in ("broken", "good") for s in (0, 1)]
    assert rows[3]["images"] == 150 * 64 and "kid" not in rows[0]
    lines = quality.table(rows).splitlines()
    assert lines[2].startswith("| `good` | 2 |")
    assert lines[3].startswith("| `broken` | 2, 2 of them failed |")
    run()
    assert len(made) == 4  # no run is repeated
    configs["good"].text = "changed"
    rows = run()
    assert made[4:] == [("good", 0, 150), ("good", 1, 150)] and len(rows) == 4
    configs["again"] = Recipe("good")
    with pytest.raises(UserError, match="expected different names"):
        run()


def test_seconds_leave_out_tracing_and_measuring(tmp_path):
    log = [
        {"step": 10, "steps_per_second": 1.0},  # includes tracing
        {"step": 20, "steps_per_second": 5.0},
        {"step": 20, "kid": 3.0, "evaluation_seconds": 4.0},
        {"step": 30, "steps_per_second": 10 / 6},  # 2 seconds of steps
        {"step": 30, "kid": 2.0, "evaluation_seconds": 4.0},
    ]
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in log))
    curve, seconds = quality._curve(str(path))
    assert curve == [[4.0, 3.0], [6.0, 2.0]] and seconds == pytest.approx(6.0)


@pytest.mark.second
def test_board_trains_and_measures(tmp_path, capsys):
    recipe = (ROOT / "zoo_configs" / "gan.toml").read_text()
    small = tmp_path / "small.toml"
    small.write_text(re.sub(r"(?m)^width = .*|^hidden.*", "", recipe))
    out = tmp_path / "board"
    args = ["quality", f"--model={small}", "--dataset=digits", "--budget=2"]
    args += [f"--out={out}", "--num=60", "--set=data.batch_size=16"]
    assert benchmark.main([*args, "--seeds=1"]) == 0
    shown = capsys.readouterr().out
    assert "small, seed 0" in shown and "| `small` | 1 |" in shown
    [first] = quality.read(str(out))["rows"]
    assert first["steps"] > 0 and first["pictures_a_step"] == 16
    assert first["seconds"] > 0
    assert first["images"] == 16 * first["steps"]
    assert first["curve"][-1][0] > first["curve"][0][0]
    assert first["peak_mib"] > 100 and 0 <= first["coverage"] <= 1


def test_failing_run_says_why(tmp_path):
    with pytest.raises(UserError, match=r"train --model=nothing: train: no model"):
        child.run_child(["train", "--model=nothing"])
