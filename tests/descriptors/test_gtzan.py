"""The GTZAN columns: those of librosa called plainly, and the conventions of the published table."""

import csv
import warnings

import numpy as np
import pytest

from stream_match.capture.file import read_blocks
from stream_match.descriptors.gtzan import COLUMNS, gtzan_features
from stream_match.errors import ParameterError

SR = 22_050
RECORDINGS = ("Hungarian_Dance", "sorohanro", "198-209-0000.ogg", "glacier-bay", "Vibe_Ace.ogg")


def plainly(librosa, y):
    """Each column by the function of librosa that it is named after, called with nothing but the samples."""
    named = {}

    def both(name, values):
        named[f"{name}_mean"], named[f"{name}_var"] = np.mean(values), np.var(values)

    both("chroma_stft", librosa.feature.chroma_stft(y=y))
    both("rms", librosa.feature.rms(y=y))
    both("spectral_centroid", librosa.feature.spectral_centroid(y=y))
    both("spectral_bandwidth", librosa.feature.spectral_bandwidth(y=y))
    both("rolloff", librosa.feature.spectral_rolloff(y=y))
    both("zero_crossing_rate", librosa.feature.zero_crossing_rate(y))
    both("harmony", librosa.effects.harmonic(y))
    both("perceptr", librosa.effects.percussive(y))
    named["tempo"] = librosa.feature.tempo(y=y)[0]
    for number, row in enumerate(librosa.feature.mfcc(y=y), 1):
        both(f"mfcc{number}", row)
    return [named[name] for name in COLUMNS]


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_columns_are_those_of_librosa_called_plainly(librosa, real_audio, name):
    path = next(path for path in sorted((real_audio / "librosa").glob("*.ogg")) if name in path.name)
    y = np.concatenate(list(read_blocks(path)))[: 12 * SR]
    found = gtzan_features(y)
    assert (found.shape, found.dtype) == ((57,), np.float64)
    np.testing.assert_array_equal(found, np.array(plainly(librosa, y), np.float64))


@pytest.fixture(scope="module")
def published(real_audio):
    path = real_audio.parent / "data/gtzan/features_30_sec.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


def test_names_and_order_are_those_of_the_published_table(published):
    assert list(published[0]) == ["filename", "length", *COLUMNS, "label"]


def test_frames_and_variances_are_those_of_the_published_table(published):
    """Zero crossings are counts and rolloffs are bins: sums over the right number of frames are whole."""
    n_frames = 1 + column(published, "length") // 512
    for name, unit in (("zero_crossing_rate", 1 / 2048), ("rolloff", SR / 2048)):
        mean, variance = column(published, f"{name}_mean"), column(published, f"{name}_var")
        total, squares = n_frames * mean / unit, n_frames * (variance + mean**2) / unit**2
        np.testing.assert_allclose(total, np.round(total), rtol=0, atol=1e-6)
        np.testing.assert_allclose(squares, np.round(squares), rtol=1e-12)


def test_types_are_those_of_the_published_table(librosa, published):
    y = np.random.default_rng(0).standard_normal(3 * SR).astype(np.float32)
    found = dict(zip(COLUMNS, gtzan_features(y), strict=True))
    for name in COLUMNS:
        values = column(published, name)
        single = np.mean(values.astype(np.float32) == values) > 0.9
        assert (np.float32(found[name]) == found[name]) == single or name == "tempo", name


def test_tempi_of_the_published_table_are_bins_of_the_tempogram(librosa, published):
    bins = librosa.tempo_frequencies(384, sr=SR, hop_length=512)
    assert set(column(published, "tempo")) <= set(bins)
    t = np.arange(10 * SR) / SR
    y = (np.sin(2 * np.pi * 440 * t) * (t % 0.5 < 0.05)).astype(np.float32)
    assert gtzan_features(y)[COLUMNS.index("tempo")] in bins


@pytest.mark.parametrize("samples", [2048, 3000, 3 * SR])
def test_silence_and_single_frames_are_finite(librosa, samples):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(gtzan_features(np.zeros(samples, np.float32))).all()


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (np.zeros(0, np.float32), "y has 0 samples; the GTZAN features need 2048 at least"),
        (np.zeros(2047, np.float32), "y has 2047 samples"),
        (np.full(4000, np.nan, np.float32), "y holds NaN or infinity"),
        (np.zeros((2, 4000), np.float32), r"y has shape \(2, 4000\)"),
    ],
)
def test_what_has_no_features_is_told_in_a_sentence(y, told):
    with pytest.raises(ParameterError, match=told):
        gtzan_features(y)
