"""How much is claimed of a file."""

import numpy as np
import pytest
import soundfile

from stream_match.identify import settings_for


@pytest.mark.parametrize(
    ("seconds", "alarms_per_hour"), [(0.1, 10), (3, 3), (5, 1.8), (20, 0.45), (90, 0.1), (720, 0.1)]
)
def test_one_unknown_file_in_two_hundred_may_get_a_name(tmp_path, seconds, alarms_per_hour):
    path = tmp_path / "some.wav"
    soundfile.write(path, np.zeros(int(seconds * 8000), np.int16), 8000)
    assert settings_for(path).max_false_alarms_per_hour == pytest.approx(alarms_per_hour)


@pytest.mark.parametrize("content", [None, b"", b"no audio"])
def test_a_file_that_does_not_tell_its_length_is_allowed_what_a_daemon_is(tmp_path, content):
    path = tmp_path / "some.wav"
    if content is not None:
        path.write_bytes(content)
    assert settings_for(path).max_false_alarms_per_hour == 0.1
