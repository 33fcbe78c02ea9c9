import math

import numpy as np
import pytest
from matplotlib.colors import same_color

from ifdd_mmaction.visualization import plot_training_curve
from ifdd_mmaction.visualization.style import BLUE, RED
from ifdd_mmaction.visualization.training_curve import epochs_of, smooth
from tests.helpers.figures import assert_readable


def training(epochs, length, interval=1, last=True, **keys):
    records = []
    for epoch in range(1, epochs + 1):
        for i in range(1, length + 1):
            if i % interval and not (last and i == length):
                continue
            step = (epoch - 1) * length + i
            values = dict(
                lr=1e-5 * epoch, loss=3 / step, loss_cls=2 / step, loss_context=1e-4
            )
            records.append(dict({**values, **keys}, epoch=epoch, iter=step, step=step))
    return records


def validation(war, uar=None):
    uar = uar or [w / 2 for w in war]
    return [
        {'dfer/WAR': w, 'dfer/UAR': u, 'step': epoch}
        for epoch, (w, u) in enumerate(zip(war, uar, strict=True), start=1)
    ]


def panels(figure):
    """Return the panels by the first words of their labels."""
    return {axes.get_ylabel().split(' (')[0]: axes for axes in figure.axes}


def labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def marks(axes, marker):
    """Return (x, y, color) of single markers."""
    return [
        (line.get_xdata()[0], line.get_ydata()[0], line.get_color())
        for line in axes.lines
        if line.get_marker() == marker and len(line.get_xdata()) == 1
    ]


@pytest.mark.parametrize('interval', [1, 7, 20, 580])
@pytest.mark.parametrize('last', [True, False], ids=['last', 'ignore_last'])
def test_epochs_are_computed_from_iterations(interval, last):
    records = training(9, 580, interval, last)
    exact = np.array([record['step'] / 580 for record in records])
    # without the last iteration of an epoch its length is only approximate
    within = 1e-9 if last or interval != 7 else 0.01
    np.testing.assert_allclose(epochs_of(records), exact, atol=within)


def test_epochs_are_clipped_when_the_batch_size_changes():
    before = training(2, 100, 10)
    after = [dict(r, epoch=3, step=100 + i) for i, r in enumerate(before[:5], 1)]
    found = epochs_of(before + after)
    assert (found[-5:] >= 2).all() and (found <= 3).all()
    assert (np.diff(found) >= 0).all()


def test_smooth_is_the_mean_of_a_window():
    x = np.arange(10) / 5
    y = np.arange(10.0) ** 2
    found = smooth(x, y, width=0.8)
    for i in range(10):
        window = y[max(i - 2, 0) : i + 3]
        assert found[i] == pytest.approx(window.mean())


def test_losses_and_learning_rate_equal_the_log():
    records = training(3, 4)
    found = panels(plot_training_curve(records))
    assert set(found) == {'Training loss', 'Context loss', 'Learning rate'}
    x = np.arange(1, 13) / 4
    raw, loss, loss_cls = found['Training loss'].lines
    np.testing.assert_allclose(raw.get_xydata(), np.c_[x, 3 / np.arange(1, 13)])
    assert raw.get_alpha() < 0.5 and loss.get_alpha() is None
    np.testing.assert_allclose(loss_cls.get_ydata(), loss.get_ydata() * 2 / 3)
    # the mean over one epoch: two records on either side
    assert loss.get_ydata()[5] == pytest.approx(np.mean(3 / np.arange(4, 9)))
    raw, context = found['Context loss'].lines
    np.testing.assert_allclose(context.get_ydata(), 1e-4)
    (rate,) = found['Learning rate'].lines
    np.testing.assert_allclose(rate.get_ydata(), np.repeat([1e-5, 2e-5, 3e-5], 4))
    assert labels(found['Training loss']) == [
        'as logged',
        'loss, epoch mean',
        'loss_cls, epoch mean',
    ]


def test_ticks_times_the_power_in_the_label_are_the_values():
    figure = plot_training_curve(training(3, 4))
    assert_readable(figure)
    axes = panels(figure)['Learning rate']
    assert '10^{-5}' in axes.get_ylabel()
    for tick, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True):
        value = float(label.get_text().replace('\N{MINUS SIGN}', '-'))
        assert value * 1e-5 == pytest.approx(tick, abs=1e-12)


def test_validation_marks_best_and_last():
    war, uar = [0.2, 0.7, 0.7, 0.5], [0.1, 0.3, 0.6, 0.4]
    figure = plot_training_curve(training(4, 3) + validation(war, uar))
    axes = panels(figure)['Validation score']
    lines = [line for line in axes.lines if len(line.get_xdata()) > 1]
    np.testing.assert_allclose(lines[0].get_xydata(), np.c_[1:5, np.multiply(war, 100)])
    np.testing.assert_allclose(lines[1].get_xydata(), np.c_[1:5, np.multiply(uar, 100)])
    # of equal scores the first is best, as for the saved checkpoint
    (best_war, best_uar), (last_war, last_uar) = marks(axes, '*'), marks(axes, 'o')
    assert best_war[:2] == (2, 70) and best_uar[:2] == (3, 60)
    assert last_war[:2] == (4, 50) and last_uar[:2] == (4, 40)
    assert same_color(best_war[2], BLUE) and same_color(best_uar[2], RED)
    assert labels(axes) == [
        'WAR: ★ best 70.00% (epoch 2), ○ last 50.00% (epoch 4)',
        'UAR: ★ best 60.00% (epoch 3), ○ last 40.00% (epoch 4)',
    ]


def test_equal_scores_are_both_visible():
    # on a balanced test set WAR is UAR
    figure = plot_training_curve(validation([0.2, 0.5], [0.2, 0.5]))
    one, other = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 1]
    assert one.get_linestyle() == '-' and other.get_linestyle() == '--'
    sizes = [line.get_markersize() for line in figure.axes[0].lines if line != one]
    assert len(set(sizes)) > 2  # the smaller star on the larger one


@pytest.mark.parametrize(
    'records, expected',
    [
        (training(2, 3), {'Training loss', 'Context loss', 'Learning rate'}),
        (validation([0.5]), {'Validation score'}),
        (
            [
                {k: v for k, v in r.items() if k != 'loss_context'}
                for r in training(2, 3)
            ]
            + validation([0.5, 0.6]),
            {'Training loss', 'Validation score', 'Learning rate'},
        ),
        (
            [dict(loss=1.0, epoch=1, step=1), dict(loss=2.0, epoch=1, step=2)],
            {'Training loss'},
        ),
    ],
)
def test_only_panels_with_records_are_drawn(records, expected):
    figure = plot_training_curve(records)
    assert set(panels(figure)) == expected
    assert_readable(figure)


@pytest.mark.parametrize(
    'records',
    [
        training(1, 1) + validation([0.5]),
        training(1, 580, 20) + validation([0.5]),
        training(100, 580, 20) + validation([0.7 - 0.6 / e for e in range(1, 101)]),
    ],
    ids=['one point', 'one epoch', 'long'],
)
def test_is_readable_short_and_long(records):
    figure = plot_training_curve(records, title='A run')
    assert_readable(figure)
    assert figure.get_suptitle() == 'A run'
    for axes in figure.axes:
        left, right = axes.get_xlim()
        assert left < 0 and records[-1]['step'] < right < records[-1]['step'] * 1.1
        assert all(tick == int(tick) for tick in axes.get_xticks())
    (mean,) = [
        line
        for line in panels(figure)['Training loss'].lines
        if line.get_label() == 'loss, epoch mean'
    ]
    # a single point has no line, only a marker
    assert len(mean.get_xdata()) > 1 or mean.get_marker() == '.'


def test_values_that_are_not_finite_are_excluded():
    records = training(2, 10)
    for record in [records[2], *records[15:]]:
        record['loss'] = record['loss_cls'] = math.nan
    figure = plot_training_curve(records)
    raw, mean, _ = panels(figure)['Training loss'].lines
    lost = [2, *range(15, 20)]
    assert np.flatnonzero(np.isnan(raw.get_ydata())).tolist() == lost
    x = [(i + 1) / 10 for i in range(20) if i not in lost]
    np.testing.assert_allclose(mean.get_xdata(), x)
    # half an epoch on either side of the first
    expected = np.mean([3 / step for step in (1, 2, 4, 5, 6)])
    assert mean.get_ydata()[0] == pytest.approx(expected)


def test_no_records_raise_an_error():
    with pytest.raises(ValueError, match='none of 1 records'):
        plot_training_curve([{'time': 1.0, 'step': 3}])
