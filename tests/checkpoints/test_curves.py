"""The curves are drawn from the metrics that were written, on a page that stands alone."""

from html.parser import HTMLParser

import pytest

from tests.checkpoints.outputs import write_metrics
from tuneline.checkpoints import Curves, chart, read_curves, render_page
from tuneline.checkpoints.curves import MOST_POINTS, thinned
from tuneline.errors import TunelineError

LOSS, ACCURACY = "/train_total_loss", "/train_fraction_of_correct_next_step_preds"
EVAL_LOSS, EVAL_ACCURACY = "/eval_total_loss", "/eval_fraction_of_correct_next_step_preds"


def test_the_documented_names_become_four_series_in_order_of_steps(tmp_path):
    write_metrics(
        tmp_path,
        [
            {"step": 2, LOSS: 1.0, ACCURACY: 0.5},
            {"step": 1, LOSS: 2.0, ACCURACY: 0.25, "tokens_per_second": 10},
            {"step": 2, LOSS: 0.9, ACCURACY: 0.6, EVAL_LOSS: 0.8, EVAL_ACCURACY: 0.7},
        ],
    )
    curves = read_curves(str(tmp_path))
    assert curves.train_loss == ((1, 2.0), (2, 0.9))
    assert curves.train_accuracy == ((1, 0.25), (2, 0.6))
    assert curves.eval_loss == ((2, 0.8),)
    assert curves.eval_accuracy == ((2, 0.7),)


def test_a_broken_line_is_named(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": \n')
    with pytest.raises(TunelineError, match="line 2"):
        read_curves(str(tmp_path))


def test_the_page_is_whole_marks_the_step_and_fetches_nothing():
    curves = Curves(
        train_loss=[(1, 2.0), (20, 1.0)],
        train_accuracy=[(1, 0.1), (20, 0.6)],
        eval_loss=[(20, 1.1)],
        eval_accuracy=[(20, 0.5)],
    )
    page = render_page(curves, title="<numbers> & more", chosen=20, reason="Step 20 is <the> best.")
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.seen["svg"] == 2
    assert page.count('class="chosen"') == 2
    assert "&lt;numbers&gt; &amp; more" in page
    assert "Step 20 is &lt;the&gt; best." in page
    assert not set(tags.seen) & {"script", "link", "img", "iframe"}
    assert "http" not in page


def test_a_training_of_any_length_makes_a_chart_of_bounded_size():
    points = [(step, 1.0 / step) for step in range(1, 100_001)]
    few = thinned(points)
    assert len(few) <= MOST_POINTS
    assert few[-1][0] == 100_000
    assert len(chart(points, [], chosen=None)) < 12_000
    assert chart([], [], chosen=3) == ""


class _Tags(HTMLParser):
    """Counts tags, and knows which are still open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: dict[str, int] = {}

    def handle_starttag(self, tag, attrs):
        self.seen[tag] = self.seen.get(tag, 0) + 1
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen[tag] = self.seen.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
