"""Audio that is kept: a rolling buffer of each source, and clips of it on disk.

Nothing is kept unless the settings ask for it (`config.ClipSettings`). All of it is synchronous and knows no
clock; `service.clip_keeper` decides when it works. `docs/clips.md` is for users.

`samples` (of 16 bits), `rolling_audio` (the newest samples of a source, and where they are broken),
`source_audio` (which stretches of them become clips), `encoding` (samples → FLAC or Opus), `folder` (names,
files, and what is deleted).
"""

from stream_match.clips.folder import ClipFolder, clip_name
from stream_match.clips.source_audio import Clip, SourceAudio

__all__ = ["Clip", "ClipFolder", "SourceAudio", "clip_name"]
