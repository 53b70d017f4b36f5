"""Why a file matched, or did not: gathered here, drawn by `stream_match.explain.plot`."""

from stream_match.explain.explanation import Explanation, explain_file

__all__ = ["Explanation", "explain_file"]
