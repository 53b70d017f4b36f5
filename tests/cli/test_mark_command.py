"""What `mark` refuses, each time in one sentence; what it does is in the end-to-end tests."""

import numpy as np
import pytest
import soundfile

from stream_match.cli import main


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("nothing.flac", "--index", "idx", "--name", "x"), 1, "there is no file 'nothing.flac'"),
        (("--name", "x"), 2, "There is nothing to mark: give a file, or --source and --last"),
        (("a.flac", "--name", "x"), 2, "give --index DIR"),
        (("--source", "hall", "--index", "idx", "--name", "x", "--last", "5"), 2, "leave --index out"),
        (("a.flac", "--index", "idx", "--name", "x", "--last", "5"), 2, "--last are for a listener"),
        (("a.flac", "--index", "idx", "--name", "x"), 1, "idx"),
        (("a.flac", "--index", "idx", "--name", "x", "--from", "3", "--to", "2"), 2, "ends after it begins"),
        (("a.flac", "--index", "idx", "--name", "x", "--from", "3", "--to", "9"), 2, "is 4.00 s long"),
        (("text.flac", "--index", "idx", "--name", "x"), 1, "text.flac"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, monkeypatch, capsys, args, status, said):
    monkeypatch.chdir(tmp_path)
    soundfile.write("a.flac", np.zeros(4 * 22_050, np.int16), 22_050)
    (tmp_path / "text.flac").write_text("no audio")
    assert main(["mark", *args]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("seconds", [("--from", "-1"), ("--to", "nan"), ("--last", "0"), ("--last", "x")])
def test_what_is_no_time_is_refused(capsys, seconds):
    with pytest.raises(SystemExit) as ended:
        main(["mark", "a.flac", "--name", "x", *seconds])
    assert ended.value.code == 2
    assert "is no number" in capsys.readouterr().err
