"""Colours and typography that the sheets and the plots share."""

PAPER, INK, MUTED, FAINT = "#ffffff", "#1f2933", "#66727f", "#e6eaee"
"""Background, text, quiet text, and the lines behind the data."""
PALE, MIDDLE, DEEP = "#b3cde0", "#5b9bc7", "#1b4f7a"
"""Three steps of one colour: a later stage is darker."""
ACCENT = "#d9792b"
"""Sets the validation split apart."""

PLOT_STYLE = {
    "figure.facecolor": PAPER,
    "figure.dpi": 110,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.08,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 1.0,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
}
"""Settings of matplotlib, on top of its own defaults."""
