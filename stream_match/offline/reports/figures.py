"""Figures of a page: drawn twice by matplotlib, for light and for dark screens, and embedded."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stream_match.offline.reports.page import escaped
from stream_match.pictures import boxes_for_missing_glyphs, new_figure

QUALITY = 80
"""Of WebP, 0 to 100. At 80 no artefacts are seen in text, and a spectrogram takes some 40 kB."""


@dataclass(frozen=True)
class Theme:
    """Colours of a figure; what is drawn with the first two or with a line is seen on either background.

    Parameters
    ----------
    ink : str
        Of text and axes.
    faint : str
        Of grids, and of what stands behind something else.
    first, second, third : str
        Of lines and areas. They are of Okabe and Ito's colours, which the colour-blind tell apart.
    """

    ink: str
    faint: str
    first: str
    second: str
    third: str


LIGHT = Theme(ink="#1f2328", faint="#c4c8cd", first="#0072b2", second="#d55e00", third="#009e73")
DARK = Theme(ink="#e6e8eb", faint="#5b6169", first="#56b4e9", second="#e69f00", third="#2fc79a")

_OF_INK = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")

Draw = Callable[[Any, Theme], None]
"""Draws into an empty `matplotlib.figure.Figure`."""


def picture(draw: Draw, description: str, *, inches: tuple[float, float]) -> str:
    """Return a figure as HTML.

    Parameters
    ----------
    draw : callable
    description : str
        Text, for those who do not see it.
    inches : (float, float)
        Width and height.

    Raises
    ------
    UsageError
        If matplotlib is not there.
    """
    light, dark = (_embedded(draw, theme, inches) for theme in (LIGHT, DARK))
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{escaped(description)}" width="{round(inches[0] * 96)}" '
        f'height="{round(inches[1] * 96)}"></picture>'
    )


def _embedded(draw: Draw, theme: Theme, inches: tuple[float, float]) -> str:
    figure = new_figure(inches)  # which says how to install matplotlib
    import matplotlib as mpl

    settings: dict[Any, str] = dict.fromkeys(_OF_INK, theme.ink)
    with mpl.rc_context({**settings, "grid.color": theme.faint, "axes.facecolor": "none"}):
        draw(figure, theme)
        held = io.BytesIO()
        with boxes_for_missing_glyphs():
            figure.savefig(held, format="webp", transparent=True, pil_kwargs={"quality": QUALITY})
    return f"data:image/webp;base64,{base64.b64encode(held.getvalue()).decode()}"
