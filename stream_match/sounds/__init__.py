"""The sounds of whole files and of recorded events: found, grouped, drawn, made audible."""

from stream_match.sounds.analyse import METHODS, Analysis, Sound, analyse_file

__all__ = ["METHODS", "Analysis", "Sound", "analyse_file"]
