"""Reports of reliance on time, as figures and tables get them."""

KINDS = ('noise', 'wrong_crop', 'other_clip', 'blur', 'black')


def estimate(mean):
    return dict(mean=mean, low=mean - 0.05, high=mean + 0.05)


def scores(mean, minus):
    row = dict(WAR=estimate(mean + 0.1), UAR=estimate(mean))
    return dict(row, minus_in_order=dict(UAR=estimate(minus)))


def report(mean=0.6, frames=16, counts=(1, 4, 8), split=True):
    shares = {k: dict(dynamics_moved=estimate(-k / frames)) for k in counts}
    return dict(
        num_frames=frames,
        orders={
            'in order': scores(mean, 0.0),
            'shuffled': scores(mean - 0.1, -0.1),
            'best frame (upper bound)': scores(mean + 0.2, 0.2),
        },
        noisy={kind: {k: scores(mean - k / 50, -k / 50) for k in counts}
               for kind in KINDS},
        indexes=dict.fromkeys(KINDS, shares) if split else None,
    )  # fmt: skip


MODELS = {'IFDD-ViT': report(), 'stock MViT with a long name': report(0.4, split=False)}
