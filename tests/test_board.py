"""The board of models: runs of equal budgets, measured, kept and reported."""

import json
import re
from xml.etree import ElementTree

import pytest
from conftest import ROOT

from keras_gans import benchmark, board
from keras_gans.errors import UserError


def row(model, seed, kid, **more):
    found = {"coverage": 0.5, "recall": 0.25, "seconds": 60.0, "images": 6400}
    found |= {"curve": [[30.0, 2 * kid], [60.0, kid]], "planned": 100, "steps": 100}
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
    title, _, first, second = board.table(ROWS).splitlines()
    assert "as asked for" in title and "MiB" not in title
    assert first.startswith("| `better` | 1 | 2 | 0.500 |") and "0.900" in first
    assert second.startswith("| `worse` | 2 | 9 ± 1.41 | 0.500 ± 0.000 |")


def test_plot_is_an_svg_with_a_line_for_each_run():
    svg = ElementTree.fromstring(board.plot(ROWS))
    space = "{http://www.w3.org/2000/svg}"
    axes, *lines = svg.findall(f"{space}polyline")
    assert len(lines) == 3
    texts = [text.text for text in svg.findall(f"{space}text")]
    assert {"better", "worse", "KID", "60 s", "20"} <= set(texts)
    # lower KID is lower on the page, later is further right
    (x0, y0), (x1, y1) = (
        map(float, point.split(",")) for point in lines[0].get("points").split()
    )
    assert x1 > x0 and y1 > y0
    ElementTree.fromstring(board.plot([row("one", 0, 1.0) | {"curve": []}]))


def test_report_writes_docs_and_the_page_between_its_marks(tmp_path, capsys):
    make_board(tmp_path / "board")
    page = tmp_path / "page.md"
    page.write_text(f"before\n{board.MARKS[0]}\nold\n{board.MARKS[1]}\nafter\n")
    args = ["report", f"--out={tmp_path / 'board'}", f"--docs={tmp_path / 'docs'}"]
    assert benchmark.main([*args, f"--readme={page}"]) == 0
    text = page.read_text()
    assert text.startswith(f"before\n{board.MARKS[0]}\n")
    assert text.endswith(f"{board.MARKS[1]}\nafter\n") and "old" not in text
    table = board.table(ROWS)
    assert table in text and table in (tmp_path / "docs" / "board.md").read_text()
    assert "60 seconds of training" in text and "a machine" in text
    assert (tmp_path / "docs" / "board.svg").is_file()
    assert benchmark.main([*args, f"--readme={page}"]) == 0
    assert page.read_text() == text  # again: the same
    page.write_text("no marks")
    capsys.readouterr()
    assert benchmark.main([*args, f"--readme={page}"]) == 2
    assert "board: begin" in capsys.readouterr().err and page.read_text() == "no marks"
    assert benchmark.main(["report", f"--out={tmp_path / 'none'}"]) == 2
    assert "no board" in capsys.readouterr().err


def test_board_of_another_contest_is_refused(tmp_path):
    make_board(tmp_path)
    contest = board.Contest("digits", 60, 1, 100)
    with pytest.raises(UserError, match="another contest"):
        board.run({}, contest, str(tmp_path), None, "")


def test_board_trains_measures_and_goes_on(tmp_path, capsys):
    recipe = (ROOT / "zoo_configs" / "gan.toml").read_text()
    small = tmp_path / "small.toml"
    small.write_text(re.sub(r"(?m)^width = .*|^hidden.*", "", recipe))
    out = tmp_path / "board"
    args = ["quality", f"--model={small}", "--dataset=digits", "--budget=2"]
    args += [f"--out={out}", "--num=60", "--set=data.batch_size=16"]
    assert benchmark.main([*args, "--seeds=1"]) == 0
    shown = capsys.readouterr().out
    assert "small, seed 0" in shown and "| `small` | 1 |" in shown
    [first] = board.read(str(out))["rows"]
    assert first["planned"] == first["steps"] >= 5
    assert 0.2 < first["seconds"] < 60
    assert first["images"] == 16 * first["steps"]
    assert len(first["curve"]) >= 5 and first["curve"][-1][0] > first["curve"][0][0]
    assert first["peak_mib"] > 100 and 0 <= first["coverage"] <= 1
    # one more seed: the first run stays as it is
    before = (out / "small_0" / "metrics.jsonl").read_bytes()
    assert benchmark.main([*args, "--seeds=2"]) == 0
    rows = board.read(str(out))["rows"]
    assert [r["seed"] for r in rows] == [0, 1] and rows[0] == first
    assert (out / "small_0" / "metrics.jsonl").read_bytes() == before
    assert rows[1]["planned"] == first["planned"] and rows[1]["kid"] != first["kid"]


def test_failing_run_says_why(tmp_path):
    with pytest.raises(UserError, match=r"train --model=nothing: train: no model"):
        board._child(["train", "--model=nothing"])
