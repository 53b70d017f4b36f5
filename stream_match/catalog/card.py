"""The model card of an index."""

from stream_match.catalog.entries import Manifest

_CARD = """\
# An index of recordings

{tracks} tracks, {hours:.2f} hours of audio, for stream-match (index format {version}).

**What it is.** Sign codes of {bits} bits, one every {code_ms:.0f} ms, each of the spectral shape
of {span_s:.1f} s of audio, searched by FAISS;
LSH tables over the chroma of every second of these moments; coarse chroma, for other performances of the
tracks; and the hyperplanes of both codes, fitted to this catalogue. Listening computes the same codes of what
it hears and looks for them here.

**What it is not.** It contains no audio, and audio cannot be restored from it: {bytes_per_second:.0f} bytes
of signs stand for the spectra of a second. Titles and artists are in the files `tracks.jsonl`, as the audio
files or the user named them.
The recordings keep their own licences; whoever passes the index on passes on these names and numbers only.

| | |
|---|---|
| codes | {codes} |
| segments | {segments} |
| feature fingerprint | {fingerprint} |

Settings: {settings}

**How to verify.** `stream-match index verify FOLDER` compares every file with `manifest.json`, and the
tables with the codes. The same audio files, settings and versions of the libraries give the same
bytes again, on as many cores as you like.

**Limits.** Recordings of less than {span_s:.1f} s and silence cannot be found. The index fits one version
of the feature code only; another one refuses it, and it has to be built again.
"""


def card(manifest: Manifest) -> str:
    """Return the model card, in Markdown.

    Parameters
    ----------
    manifest : Manifest
    """
    counts, settings = manifest.counts, manifest.settings
    return _CARD.format(
        tracks=counts.tracks,
        hours=counts.seconds / 3600,
        version=manifest.format_version,
        bits=settings.n_bits,
        code_ms=1000 * settings.code_s,
        span_s=settings.span_s,
        bytes_per_second=settings.n_bits / 8 / settings.code_s,
        codes=counts.codes,
        segments=len(manifest.segments),
        fingerprint=manifest.fingerprint,
        settings=", ".join(f"{name} {value}" for name, value in settings.model_dump().items()),
    )
