"""Draw the plots in docs/plots: small SVG files for light and for dark backgrounds."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.lib.bench import ROOT

DIRECTORY = ROOT / "docs" / "plots"

# As far from black as from white: no program tells a picture what it lies on.
GREY = "#7d8590"
COLOURS = ("#2f81f7", "#d2691e", "#2da44e", "#a371f7", "#db61a2")
FEW = 2
"""Lines that leave room for a legend."""

STYLE: Any = {
    "svg.fonttype": "none",  # letters, not their outlines
    "svg.hashsalt": "fibo",  # the same names in every run
    "font.size": 10,
    "text.color": GREY,
    "axes.labelcolor": GREY,
    "axes.edgecolor": GREY,
    "axes.titlesize": 11,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "grid.color": GREY,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


@contextmanager
def drawn(name: str, title: str, height: float) -> Iterator[Any]:
    """The axes of a plot, which is written to its file afterwards."""
    # Imported here: without --plots, nothing but the peers is needed.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7, height), layout="constrained")
        axes = figure.subplots()
        axes.set_title(title, loc="left")
        yield axes
        DIRECTORY.mkdir(exist_ok=True)
        figure.savefig(DIRECTORY / f"{name}.svg", transparent=True, metadata={"Date": None})


def bars(
    name: str,
    title: str,
    sides: Mapping[str, Sequence[float]],
    unit: str,
    logarithmic: bool = False,
) -> None:
    """A bar for each side: the median of its figures, and a line from the least to the most."""
    with drawn(name, title, 0.9 + 0.35 * len(sides)) as axes:
        for place, (side, found) in enumerate(sides.items()):
            middle = statistics.median(found)
            spread = [[middle - min(found)], [max(found) - middle]]
            colour = COLOURS[0] if "ours" in side else GREY
            axes.barh(place, middle, xerr=spread, color=colour, ecolor=COLOURS[1], height=0.6)
            axes.annotate(
                f"{middle:.3g}",
                (max(found), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
            )
        axes.set_yticks(range(len(sides)), list(sides))
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        axes.margins(x=0.1)
        if logarithmic:
            axes.set_xscale("log")


def lines(
    name: str,
    title: str,
    sides: Mapping[str, Mapping[int, float]],
    labels: tuple[str, str],
    logarithmic: bool = True,
) -> None:
    """A line for each side through its figures, on logarithmic or on linear axes."""
    with drawn(name, title, 3.5) as axes:
        for (side, points), colour in zip(sides.items(), COLOURS, strict=False):
            draw = axes.loglog if logarithmic else axes.plot
            draw(list(points), list(points.values()), "o-", label=side, color=colour)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.grid(visible=True)
        if len(sides) > FEW:
            # Within, it would lie on some of the lines.
            axes.figure.legend(labelcolor=GREY, loc="outside lower left", ncols=2)
        else:
            axes.legend(labelcolor=GREY)
