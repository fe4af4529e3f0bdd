"""The picture of the residual stream: every part is named where it belongs."""

from matplotlib.figure import Figure

from minigpt.viz.figures.stream import plot_stream


def written(stops, title=""):
    ax = plot_stream(stops, title, Figure().subplots())
    return [(text.get_text(), *text.get_position()) for text in ax.texts if text.get_text()], ax


def test_parts_beside_the_stream_are_below_it_and_parts_on_it_lie_on_its_line():
    texts, _ = written([(["attention"], ["LayerNorm"]), (["MLP"], [])])
    heights = {text: y for text, _, y in texts}
    assert heights["attention"] == heights["MLP"] == -1
    assert heights["LayerNorm"] == 0


def test_parts_stand_from_left_to_right_in_the_order_of_the_computation():
    texts, _ = written([(["LayerNorm", "attention"], []), (["LayerNorm", "MLP"], ["LayerNorm"])])
    order = [text for text, x, _ in sorted(texts, key=lambda item: item[1])]
    parts = ["LayerNorm", "attention", "+", "LayerNorm", "MLP", "+", "LayerNorm"]
    assert order == ["the stream", *parts]


def test_everything_lies_within_the_axes():
    texts, ax = written([(["LayerNorm", "attention"], ["LayerNorm"])] * 3, "three stops")
    assert ax.get_title() == "three stops"
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    assert all(left <= x <= right and low <= y <= high for _, x, y in texts)
