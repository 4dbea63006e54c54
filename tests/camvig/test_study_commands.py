"""`camvig study`: what it prints and writes, and one line for what is wrong."""

import json

import numpy as np
import pytest

from camvig import cli


def study(*arguments: object) -> int:
    return cli.main(["study", "camera-tokenizers", *map(str, arguments)])


def test_it_prints_a_table_and_writes_the_figures(real_paths_file, tmp_path, capsys):
    figures, plot = tmp_path / "out" / "study.json", tmp_path / "out" / "study.png"
    assert study("--paths", real_paths_file, "--json", figures, "--plot", plot) == 0
    printed = capsys.readouterr().out
    assert "| dct-bpe |" in printed and "| codec-4x106 |" in printed and printed.endswith(f"{figures}\n{plot}\n")
    written = json.loads(figures.read_text())
    assert written["tokenizers"]["gendop"]["tokens"] == 170 and written["judged_on"] == "real"
    assert plot.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--paths", "wrong.npz"], "wrong.npz: expected arrays c2w, source, fps, got none of name c2w, fps"),
        (["--paths", "missing.npz"], "missing.npz"),
        (["--json", "study.txt"], "expected an output file name that ends in .json, got study.txt"),
        (["--plot", "study.jpg"], "expected an output file name that ends in .png, got study.jpg"),
        (["--codec-4x106", "."], "expected the folder of a trained camera tokenizer"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("wrong.npz", source=np.array(["a"]))
    assert study(*arguments) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("camvig:")]
    assert len(lines) == 1 and lines[0].startswith("camvig: error: ") and expected in lines[0], lines
