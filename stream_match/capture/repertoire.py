"""The pieces of music that the demo plays."""

from stream_match.capture.synth import Piece, Voice

ORGAN = Voice(1.0, 0.8, 0.02, 6.0)
BELL = Voice(3.5, 2.0, 0.003, 0.9)
REED = Voice(2.0, 2.2, 0.03, 2.5)
PLUCK = Voice(1.0, 2.5, 0.003, 0.45)
BRASS = Voice(1.0, 3.0, 0.05, 1.8)
GLASS = Voice(4.0, 0.9, 0.005, 1.4)
STRINGS = Voice(3.0, 0.5, 0.15, 8.0)
ROUND = Voice(1.0, 0.6, 0.01, 1.2)
GROWL = Voice(0.5, 1.5, 0.01, 0.9)


PIECES: tuple[Piece, ...] = (
    Piece(
        id="demo/harbour-lights",
        title="Harbour Lights",
        artist="The Oscillators",
        seed=1,
        tonic=60,
        scale="major",
        tempo_bpm=112.0,
        progressions=((0, 4, 5, 3), (5, 3, 0, 4)),
        lead=BELL,
        pad=ORGAN,
        bass=ROUND,
        drums=0.25,
        bars=16,
    ),
    Piece(
        id="demo/night-train",
        title="Night Train",
        artist="Ada and the Phasors",
        seed=2,
        tonic=57,
        scale="minor",
        tempo_bpm=138.0,
        progressions=((0, 5, 2, 6), (3, 0, 4, 4), (0, 6, 5, 4)),
        lead=REED,
        pad=STRINGS,
        bass=GROWL,
        drums=0.35,
        bars=20,
    ),
    Piece(
        id="demo/slow-water",
        title="Slow Water",
        artist="Chebyshev Quartet",
        seed=3,
        tonic=63,
        scale="dorian",
        tempo_bpm=84.0,
        progressions=((0, 3, 0, 6), (1, 3, 4, 0)),
        lead=GLASS,
        pad=STRINGS,
        bass=ROUND,
        drums=0.10,
        bars=12,
    ),
    Piece(
        id="demo/copper-wire",
        title="Copper Wire",
        artist="Window Function",
        seed=4,
        tonic=55,
        scale="mixolydian",
        tempo_bpm=126.0,
        progressions=((0, 6, 3, 0), (4, 3, 0, 6)),
        lead=PLUCK,
        pad=REED,
        bass=GROWL,
        drums=0.30,
        bars=18,
    ),
    Piece(
        id="demo/paper-planes-at-noon",
        title="Paper Planes at Noon",
        artist="Impulse Response",
        seed=5,
        tonic=66,
        scale="major",
        tempo_bpm=96.0,
        progressions=((0, 2, 3, 4), (1, 4, 0, 5)),
        lead=BRASS,
        pad=GLASS,
        bass=ROUND,
        drums=0.20,
        bars=14,
    ),
    Piece(
        id="demo/winter-arcade",
        title="Winter Arcade",
        artist="The Zero Crossings",
        seed=6,
        tonic=61,
        scale="minor",
        tempo_bpm=150.0,
        progressions=((0, 3, 6, 2), (5, 1, 4, 0)),
        lead=ORGAN,
        pad=PLUCK,
        bass=GROWL,
        drums=0.40,
        bars=22,
    ),
)
"""What the demo's index knows."""

UNKNOWN: tuple[Piece, ...] = (
    Piece(
        id="demo/stranger-in-the-band",
        title="Stranger in the Band",
        artist="Nobody",
        seed=101,
        tonic=62,
        scale="dorian",
        tempo_bpm=118.0,
        progressions=((0, 4, 1, 5), (2, 5, 3, 0)),
        lead=REED,
        pad=ORGAN,
        bass=ROUND,
        drums=0.30,
        bars=14,
    ),
    Piece(
        id="demo/unlisted",
        title="Unlisted",
        artist="Nobody",
        seed=102,
        tonic=58,
        scale="major",
        tempo_bpm=132.0,
        progressions=((0, 5, 1, 4), (3, 2, 5, 4)),
        lead=BELL,
        pad=STRINGS,
        bass=GROWL,
        drums=0.30,
        bars=14,
    ),
)
"""Music that no index may hold: the right answer to it is none."""
