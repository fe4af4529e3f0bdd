"""The bar of a whole and its parts: to scale, side by side, each with its own hatching."""

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from minigpt.viz.figures.shares import plot_shares

PARTS = {"length": 8, "header": 144, "$numbers": 64}


def test_parts_lie_side_by_side_and_to_scale():
    ax = plot_shares(PARTS, "bytes")
    bars = [(bar.get_x(), bar.get_width()) for bar in ax.patches]
    assert bars == [(0, 8), (8, 144), (152, 64)]
    assert ax.get_xlim() == (0, 216)
    assert ax.get_xlabel() == "bytes"
    plt.close(ax.figure)


def test_each_part_is_named_with_its_size_and_hatched_by_its_own():
    ax = plot_shares(PARTS, "bytes")
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["length (8)", "header (144)", r"\$numbers (64)"]
    assert len({bar.get_hatch() for bar in ax.patches}) == 3
    plt.close(ax.figure)


def test_it_draws_on_the_axes_it_is_given_and_never_runs_out_of_hatches():
    _, ax = plt.subplots()
    many = {f"part {i}": 1 for i in range(20)}
    assert plot_shares(many, "MB", ax) is ax
    assert len(ax.patches) == 20
    plt.close(ax.figure)
