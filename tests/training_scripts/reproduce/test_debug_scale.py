"""An experiment from nothing to its page, every stage a process of its own: the longest test of the folder, of seven stages."""

from __future__ import annotations

from camvig import cli


def test_it_runs_from_nothing_to_a_page_and_then_does_nothing_twice(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    command = ["reproduce", "training-steps", "--scale", "debug"]
    assert cli.main(command) == 0, capsys.readouterr()
    work = tmp_path / "runs" / "reproduce-debug"
    page = work / "docs" / "training-steps.md"
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "runs/reproduce-debug/docs/training-steps.md",
        "runs/reproduce-debug/docs/training-steps.png",
    ]
    assert not (tmp_path / "docs").exists()
    text = page.read_text()
    assert "**Scale debug" in text and "| model, the true path | " in text and "| step 1 | step 2 |" in text
    assert (work / "transformer_uniform" / "model-1" / "model.safetensors").exists()

    page.unlink()
    assert cli.main(command) == 0
    said = capsys.readouterr().out.splitlines()
    assert len([line for line in said if line.endswith(": done before")]) == 7
    assert page.read_text() == text
    assert cli.main([*command, "--only-print"]) == 0
    printed = capsys.readouterr().out
    assert printed.count(": done\n") == 7 and "# left: about 0.0 hours" in printed
