"""`camvig reproduce`: what it prints, what it runs, and one line for what is wrong."""

from __future__ import annotations

import json

import pytest

from camvig import cli


def reproduce(*arguments: object) -> int:
    return cli.main(["reproduce", *map(str, arguments)])


def test_the_list_has_questions_and_hours(capsys):
    assert reproduce("--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:6]] == [
        "mixture", "training-steps", "long-paths", "camera-tokens", "generalisation", "guidance",
    ]  # fmt: skip
    assert all("?" in line and "hours on two cores" in line for line in lines[:6])


def test_the_plan_is_printed_and_nothing_is_run(tmp_path, capsys):
    work = tmp_path / "work"
    assert reproduce("training-steps", "--work-dir", work, "--only-print") == 0
    printed = capsys.readouterr().out
    assert "# rooms: about" in printed and f"camvig data render-rooms {work}/clips" in printed
    assert "training_scripts/configs/transformer_compare_uniform.yaml" in printed
    assert "'training.keep_steps=[150,300,600,1000]'" in printed and "# left: about" in printed
    assert not work.exists()


@pytest.mark.parametrize(
    ("arguments", "expected", "status"),
    [
        (["nix"], "expected an experiment, mixture, training-steps, long-paths, camera-tokens, generalisation", 1),
        (["mixture", "--scale", "huge"], "expected a scale, full, third, debug, got 'huge'", 1),
        ([], "expected the name of an experiment, or --list", 2),
        (["generalisation"], "--captures DIR, which `camvig data fit-scene", 1),
        (["generalisation", "--captures", ".", "--posed", "gone"], "gone: no such folder", 1),
    ],
)
def test_what_is_wrong_is_one_line(arguments, expected, status, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert reproduce(*arguments, "--only-print") == status
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("camvig: error: ") and expected in lines[0], lines


def test_a_folder_of_another_scale_is_refused(tmp_path, capsys):
    (tmp_path / "scale.json").write_text(json.dumps({"scale": "full"}))
    assert reproduce("mixture", "--scale", "debug", "--work-dir", tmp_path, "--only-print") == 1
    assert "choose another --work-dir" in capsys.readouterr().err
