"""Draw the parametric cartoon faces of the labelled sample set.

All shapes are given in face units: the origin lies between nose and eyes, x runs
right, y runs down and half the width of a head is about 0.9. A frame shows
``VIEW`` units on each side of the origin, as a tight face crop does.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Colour = tuple[float, ...]

VIEW = 1.22
SHIFT = 4  # fractional bits of the coordinates that OpenCV draws with


class Actions(NamedTuple):
    """Facial actions, 0 = relaxed and 1 = clearly shown, named after their AU."""

    inner_raise: float = 0.0  # AU1
    outer_raise: float = 0.0  # AU2
    brow_lower: float = 0.0  # AU4
    lid_raise: float = 0.0  # AU5
    cheek_raise: float = 0.0  # AU6
    lid_tighten: float = 0.0  # AU7
    nose_wrinkle: float = 0.0  # AU9
    corner_up: float = 0.0  # AU12
    corner_down: float = 0.0  # AU15
    lower_lip: float = 0.0  # AU16
    stretch: float = 0.0  # AU20
    lip_tighten: float = 0.0  # AU23
    jaw_drop: float = 0.0  # AU26
    pucker: float = 0.0  # AU18, speech only
    blink: float = 0.0  # AU45, never part of an expression


class Pose(NamedTuple):
    """Head pose of one frame: shifts in face units, roll in radians."""

    x: float = 0.0
    y: float = 0.0
    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    scale: float = 1.0


# Blue, green, red.
SKINS = (
    (205, 222, 250), (180, 205, 241), (150, 186, 229), (128, 166, 214),
    (104, 144, 198), (84, 118, 172), (66, 94, 142), (52, 72, 112),
)  # fmt: skip
HAIRS = (
    (28, 26, 30), (34, 44, 62), (38, 62, 98), (52, 92, 142), (100, 162, 208),
    (48, 78, 172), (150, 152, 156), (205, 208, 212),
)  # fmt: skip
IRISES = ((38, 58, 92), (28, 38, 58), (150, 118, 70), (88, 128, 84), (96, 104, 108))
CLOTHS = (
    (172, 112, 62), (92, 82, 192), (102, 152, 92), (62, 158, 214), (142, 92, 132),
    (122, 126, 56), (78, 74, 72), (190, 178, 120),
)  # fmt: skip
STYLES = ('short', 'short', 'side', 'long', 'long', 'bob', 'curly', 'bun', 'scarf')


class Identity:
    """One subject's looks, drawn at random: BGR colours, lengths in face units."""

    def __init__(self, rng: np.random.Generator) -> None:
        def near(centre: float, spread: float) -> float:
            return float(centre + spread * rng.uniform(-1, 1))

        def one_of(table: Sequence[Any]) -> Any:
            return table[rng.integers(len(table))]

        tone = int(rng.integers(len(SKINS)))
        self.skin = tuple(float(np.clip(near(c, 7), 0, 255)) for c in SKINS[tone])
        # Dark skin comes with dark hair, or the brows would be brighter than it.
        self.hair = one_of(HAIRS if tone < 4 else HAIRS[:3])
        self.style = one_of(STYLES)
        short = self.style in ('short', 'side')
        self.beard = float(rng.choice([0.0, 0.35, 0.9])) if short else 0.0
        self.iris = one_of(IRISES if tone < 5 else IRISES[:2])
        self.lips = mix(self.skin, (70, 50, 170), near(0.5, 0.15))
        self.cloth = one_of(CLOTHS)
        self.glasses = bool(rng.random() < 0.15)
        self.freckles = bool(tone < 4 and rng.random() < 0.25)
        plain = self.beard == 0 and self.style != 'scarf'
        self.earrings = bool(plain and rng.random() < 0.35)
        self.width = near(0.93, 0.05)
        self.chin, self.jaw = near(1.1, 0.04), near(0.2, 0.08)
        self.part, self.hairline = near(0.0, 0.45), near(-0.81, 0.04)
        self.eye_x, self.eye_y = near(0.41, 0.02), near(-0.13, 0.02)
        self.eye_w, self.eye_h = near(0.235, 0.02), near(1.0, 0.1)
        self.brow_y, self.brow_w = near(-0.46, 0.025), near(0.052, 0.012)
        self.nose_y, self.nose_w = near(0.24, 0.03), near(0.13, 0.025)
        self.mouth_y, self.mouth_w = near(0.58, 0.025), near(0.35, 0.03)
        self.lip = near(0.075, 0.018)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Blend two colours, ``share`` (0..1) of the second."""
    s = min(max(share, 0.0), 1.0)
    return tuple(x + s * (y - x) for x, y in zip(a, b, strict=True))


def bend(*knots: Sequence[float] | Array, n: int = 24) -> Array:
    """Bezier curve through the end knots, pulled by the others, (n, 2)."""
    t = np.linspace(0, 1, n)[:, None]
    points = [np.asarray(k, float)[None].repeat(n, 0) for k in knots]
    while len(points) > 1:
        points = [p + t * (q - p) for p, q in pairwise(points)]
    return points[0]


def oval(x: float, y: float, rx: float, ry: float, n: int = 32) -> Array:
    """Ellipse outline around (x, y), (n, 2)."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], 1)


class Painter:
    """Paints shapes in face units on a BGR image under one head pose."""

    def __init__(self, image: Array, pose: Pose) -> None:
        self.image = image
        self.unit = image.shape[0] / (2 * VIEW)
        self.pose = pose

    def pixels(self, points: Array, depth: float = 0.0) -> Array:
        """Map points (n, 2) to fixed-point pixels; depth > 0 lies nearer to us."""
        p = self.pose
        moved = points + depth * np.array([p.yaw, p.pitch])
        c, s = p.scale * np.cos(p.roll), p.scale * np.sin(p.roll)
        moved = moved @ np.array([[c, s], [-s, c]]) + (p.x + VIEW, p.y + VIEW)
        return np.rint((moved * self.unit - 0.5) * 2**SHIFT).astype(np.int32)

    def fill(self, points: Array, colour: Colour, depth: float = 0.0) -> None:
        """Fill a closed outline (n, 2)."""
        at = [self.pixels(points, depth)]
        cv2.fillPoly(self.image, at, colour, cv2.LINE_AA, SHIFT)

    def line(self, points: Array, colour: Colour, width: float, depth: float) -> None:
        """Draw an open stroke (n, 2) of a width in face units."""
        px, at = max(1, round(width * self.unit)), [self.pixels(points, depth)]
        cv2.polylines(self.image, at, False, colour, px, cv2.LINE_AA, SHIFT)

    def inside(self, points: Array, paint: Callable[[], None], depth: float) -> None:
        """Run ``paint`` and keep of it what lies within an outline (n, 2)."""
        outline = self.pixels(points, depth)
        size = self.image.shape[0]
        x0, y0 = np.clip((outline.min(0) >> SHIFT) - 2, 0, size)
        x1, y1 = np.clip((outline.max(0) >> SHIFT) + 4, 0, size)
        before = self.image.copy()
        paint()
        # OpenCV smooths edges in 8-bit images alone.
        mask = np.zeros((size, size), np.uint8)
        cv2.fillPoly(mask, [outline], (255.0,), cv2.LINE_AA, SHIFT)
        box = np.s_[y0:y1, x0:x1]
        share = mask[box] / np.float32(255)
        before[box] = cv2.blendLinear(self.image[box], before[box], share, 1 - share)
        self.image[:] = before


def head_outline(who: Identity, jaw_drop: float, grow: float = 0.0) -> Array:
    """Outline of the head (64, 2), ``grow`` face units larger all round."""
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    down = np.maximum(np.sin(t), 0)
    x = (who.width + grow) * np.cos(t) * (1 - who.jaw * down**2)
    y = np.sin(t) * np.where(np.sin(t) > 0, who.chin + grow, 1.06 + grow)
    return np.stack([x, y + 0.13 * jaw_drop * down], 1)


def draw_hair_behind(p: Painter, who: Identity) -> None:
    """Paint what of hair or scarf lies behind the head."""
    colour = who.cloth if who.style == 'scarf' else who.hair
    shade, w = mix(colour, (0, 0, 0), 0.2), who.width
    if who.style in ('long', 'scarf'):
        wide = w + (0.3 if who.style == 'long' else 0.15)
        cap = oval(0, -0.25, w + 0.2, 0.98)[16:]
        p.fill(np.concatenate([cap, [[wide, 1.6], [-wide, 1.6]]]), shade, -0.5)
    elif who.style == 'bob':
        p.fill(oval(0, -0.05, w + 0.2, 1.08), shade, -0.5)
    elif who.style == 'curly':
        for t in np.linspace(0.75, 2.25, 13) * np.pi:
            x, y = (w + 0.02) * np.cos(t), -0.2 + 0.92 * np.sin(t)
            p.fill(oval(x, y, 0.24, 0.24, 20), shade, -0.5)
    elif who.style == 'bun':
        p.fill(oval(0.5 * who.part, -1.12, 0.34, 0.28), shade, -0.5)


def draw_hair_front(p: Painter, who: Identity, head: Array) -> None:
    """Paint fringe and hairline, or the rim of a scarf, over the head (64, 2)."""
    w, y, part = who.width, who.hairline, who.part
    if who.style == 'scarf':
        rim = np.concatenate([head, head[:1]])
        p.line(rim * (1.0, 0.98), who.cloth, 0.2, 0.0)
        return
    side = 0.12 if who.style in ('long', 'bob', 'bun') else -0.28
    left, right = (-w - 0.05, side), (w + 0.05, side)
    if who.style == 'side':
        tip = (part, y - 0.1)
        knots = (w, y + 0.05), (part, y - 0.3), (-0.3, y + 0.1), (-w, y + 0.1)
    elif side > 0:
        tip = (part, y - 0.12)
        knots = (w - 0.12, y), (part + 0.1, y), (part - 0.1, y), (0.12 - w, y)
    else:
        tip = (0.0, y)
        knots = (w - 0.2, y + 0.1), (0.4, y), (-0.4, y), (0.2 - w, y + 0.1)
    edges = bend(right, *knots[:2], tip), bend(tip, *knots[2:], left)
    cap = oval(0, -0.12, w + 0.06, 1.04, 64)[32:]
    p.fill(np.concatenate([cap, *edges]), who.hair, 0.05)
    shine = mix(who.hair, (255, 255, 255), 0.16)
    p.line(bend((-0.45, -0.95), (-0.1, -1.08), (0.35, -1.01)), shine, 0.05, 0.05)


def draw_eye(
    p: Painter, who: Identity, a: Actions, side: int, gaze: tuple[float, float]
) -> None:
    """Paint one eye and its brow, ``side`` -1 = left and 1 = right of the frame."""
    x, y, w = side * who.eye_x, who.eye_y, who.eye_w
    lids = np.clip(1 - a.blink, 0.0, 1.0)
    squint = 0.30 * a.lid_tighten + 0.12 * a.nose_wrinkle
    upper = max(0.16 * who.eye_h * (1 + 0.6 * a.lid_raise - squint), 0.03) * lids
    lower = 0.125 * (1 - 0.45 * a.lid_tighten - 0.5 * a.cheek_raise)
    lower -= 0.03 * a.nose_wrinkle
    # A closing lid comes down to the lower one.
    lid, floor = y - 1.35 * upper + 0.06 * (1 - lids), y + 1.35 * max(lower, -0.02)
    ends = (x - w, y + 0.02), (x + w, y + 0.02)
    top = bend(ends[0], (x - 0.55 * w, lid), (x + 0.55 * w, lid), ends[1])
    low = bend(ends[1], (x + 0.55 * w, floor), (x - 0.55 * w, floor), ends[0])
    low[:, 1] = np.maximum(low[:, 1], top[::-1, 1])
    gx, gy = x + gaze[0], y - 0.01 + gaze[1]

    def ball() -> None:
        p.fill(oval(x, y, 1.2 * w, 0.4), (244, 246, 248), 0.1)
        p.fill(oval(gx, gy, 0.125, 0.125), who.iris, 0.12)
        p.fill(oval(gx, gy, 0.062, 0.062, 20), (16, 14, 14), 0.12)
        p.fill(oval(gx + 0.045, gy - 0.05, 0.03, 0.03, 12), (255, 255, 255), 0.12)

    fold = mix(who.skin, (30, 30, 70), 0.35)
    bag = mix(who.skin, (30, 30, 70), 0.4 * a.cheek_raise + 0.2 * a.lid_tighten)
    p.line(low + (0, 0.07), bag, 0.03, 0.1)
    p.line(top - (0, 0.055 + 0.03 * a.lid_raise), fold, 0.025, 0.1)
    p.inside(np.concatenate([top, low]), ball, 0.1)
    p.line(low, mix(who.skin, (30, 30, 70), 0.45), 0.02, 0.1)
    p.line(top, mix(who.skin, (20, 20, 40), 0.75), 0.05, 0.1)

    down = a.brow_lower + 0.45 * a.nose_wrinkle
    by = who.brow_y
    inner = by + 0.03 - 0.19 * a.inner_raise + 0.17 * down
    middle = by - 0.07 - 0.07 * a.inner_raise - 0.19 * a.outer_raise + 0.10 * down
    outer = by + 0.05 - 0.15 * a.outer_raise + 0.01 * down + 0.03 * a.inner_raise
    near = 0.17 - 0.045 * down
    arch = bend((near, inner), (0.38, middle), (0.56, middle), (0.72, outer))
    arch = arch * (side, 1)
    thick = who.brow_w * np.linspace(1.15, 0.35, len(arch))[:, None] * (0, 1)
    brow = mix(who.hair, (20, 24, 30), 0.45)
    p.fill(np.concatenate([arch - thick, (arch + thick)[::-1]]), brow, 0.1)
    if down > 0.05:
        frown = mix(who.skin, (30, 30, 60), 0.45 * down)
        fx = side * (near - 0.085)
        p.line(bend((fx, inner - 0.05), (fx * 0.8, inner + 0.1)), frown, 0.03, 0.1)


def draw_nose(p: Painter, who: Identity, a: Actions) -> None:
    """Paint nose, its wrinkles and the folds towards the mouth corners."""
    lift = 0.075 * a.nose_wrinkle
    y, w = who.nose_y - lift, who.nose_w + 0.03 * a.nose_wrinkle
    tone, dark = mix(who.skin, (30, 30, 80), 0.32), mix(who.skin, (20, 20, 50), 0.5)
    p.fill(oval(0, y - 0.02, 0.8 * w, 0.085), mix(who.skin, (60, 60, 190), 0.1), 0.22)
    deep = 0.24 * a.corner_up + 0.3 * a.nose_wrinkle + 0.12 * a.stretch
    out = who.mouth_w + 0.12 + 0.08 * a.corner_up + 0.06 * a.stretch
    for s in (-1, 1):
        wing = bend((w, y - 0.05), (w + 0.04, y + 0.07), (0.4 * w, y + 0.05))
        p.line(wing * (s, 1), tone, 0.03, 0.2)
        if deep > 0.03:
            ends = (s * (w + 0.06), y), (s * out, who.mouth_y - 0.06)
            path = bend(ends[0], (s * out * 0.9, y + 0.1), ends[1])
            p.line(path, mix(who.skin, (30, 30, 70), deep), 0.028, 0.1)
    tip = bend((-0.45 * w, y + 0.04), (0, y + 0.11), (0.45 * w, y + 0.04))
    p.line(tip, dark, 0.03, 0.24)
    crease = mix(who.skin, (20, 20, 60), 0.6 * a.nose_wrinkle)
    for h in y - 0.2 - 0.085 * np.arange(3) if a.nose_wrinkle > 0.05 else ():
        fold = bend((-0.1, h + 0.02), (0, h - 0.03), (0.1, h + 0.02))
        p.line(fold, crease, 0.03, 0.2)


def draw_mouth(p: Painter, who: Identity, a: Actions) -> None:
    """Paint the mouth with lips, teeth and tongue."""
    y = who.mouth_y
    w = who.mouth_w + 0.11 * a.corner_up + 0.15 * a.stretch
    w = w - 0.10 * a.lip_tighten - 0.09 * a.pucker - 0.05 * a.jaw_drop
    end = y - 0.17 * a.corner_up + 0.17 * a.corner_down + 0.05 * a.jaw_drop
    end = end + 0.03 * a.stretch
    bow = y - 0.10 * a.nose_wrinkle - 0.02 * a.jaw_drop - 0.02 * a.lower_lip
    gap = 0.30 * a.jaw_drop + 0.13 * a.lower_lip + 0.06 * a.corner_up
    gap = max(gap + 0.07 * a.nose_wrinkle + 0.05 * a.stretch, 0.0)
    thin = 1 - 0.6 * a.lip_tighten - 0.25 * a.stretch - 0.15 * a.corner_up
    lip = who.lip * max(thin + 0.25 * a.pucker, 0.15)
    ends = (-w, end), (w, end)
    # A Bezier reaches 3/4 of its middle knots' distance: undo that.
    up = end + (bow - end) / 0.75
    low = end + (bow + gap - end) / 0.75
    k = 0.5 * w
    top = bend(ends[0], (-k, up), (k, up), ends[1])
    floor = bend(ends[1], (k, low), (-k, low), ends[0])
    edge, peak = up - 0.8 * lip, up - 2.4 * lip
    bows = (-1.2 * k, edge), (-0.3 * k, peak), (0, up - 0.6 * lip), (0.3 * k, peak)
    crest = bend(ends[0], *bows, (1.2 * k, edge), ends[1])
    sole = bend(ends[1], (k, low + 2.0 * lip), (-k, low + 2.0 * lip), ends[0])
    red = mix(who.lips, (40, 30, 70), 0.15)
    p.fill(np.concatenate([crest, top[::-1]]), red, 0.18)
    p.fill(np.concatenate([floor, sole[::-1]]), who.lips, 0.18)

    def hollow() -> None:
        p.fill(oval(0, y + 0.2, 2 * w, 1.0), (46, 28, 84), 0.15)
        p.fill(oval(0, bow + gap + 0.02, 0.62 * w, 0.32 * gap), (112, 96, 206), 0.15)
        p.fill(oval(0, bow - 0.02, 0.85 * w, 0.09), (240, 244, 246), 0.15)
        if a.lower_lip > 0.15:
            teeth = oval(0, bow + gap + 0.04, 0.7 * w, 0.04 + 0.06 * a.lower_lip)
            p.fill(teeth, (226, 232, 236), 0.15)

    if gap > 0.012:
        p.inside(np.concatenate([top, floor]), hollow, 0.18)
    p.line(top, mix(who.lips, (20, 10, 40), 0.75), 0.03, 0.18)
    dent = mix(who.skin, (30, 30, 70), 0.25)
    chin = bow + gap + lip + 0.1
    p.line(bend((-0.13, chin), (0, chin + 0.035), (0.13, chin)), dent, 0.028, 0.15)


def draw_face(
    image: Array, who: Identity, a: Actions, pose: Pose, gaze: tuple[float, float]
) -> None:
    """Paint one head over a background (h, h, 3) uint8, in place."""
    p = Painter(image, pose)
    head = head_outline(who, a.jaw_drop)
    shade = mix(who.skin, (40, 30, 70), 0.22)
    draw_hair_behind(p, who)
    p.fill(np.array([[-0.42, 0.6], [0.42, 0.6], [0.5, 1.7], [-0.5, 1.7]]), shade, -0.4)
    p.fill(oval(0, 1.62, 1.25, 0.42), who.cloth, -0.4)
    if who.style != 'scarf':
        for s in (-1, 1):
            ear = s * (who.width + 0.03)
            p.fill(oval(ear, 0.04, 0.13, 0.23), who.skin, -0.2)
            cup = bend((ear, -0.08), (ear + s * 0.07, 0.03), (ear, 0.14))
            p.line(cup, shade, 0.03, -0.2)
            if who.earrings:
                p.fill(oval(ear, 0.32, 0.05, 0.05, 16), (90, 190, 230), -0.2)

    def skin() -> None:
        p.fill(head, shade)
        p.fill(head * 0.98 - (0.04, 0.06), who.skin)
        if who.beard:
            cover = mix(who.skin, who.hair, who.beard)
            half = np.array([(-1.1, 0.0), (-0.8, 0.6), (-0.5, 0.46)])
            jowl = bend(*half, (0, 0.34), *(half * (-1, 1))[::-1])
            p.fill(np.concatenate([jowl, [[1.2, 2.0], [-1.2, 2.0]]]), cover)

    p.inside(head, skin, 0.0)
    lift = 0.09 * a.cheek_raise
    for s in (-1, 1):
        glow = mix(who.skin, (90, 80, 235), 0.16)
        p.fill(oval(s * 0.56, 0.26 - lift, 0.19, 0.12), glow, 0.1)
        if who.freckles:
            for dx, dy in ((-0.1, 0.0), (0.0, 0.05), (0.08, -0.02), (-0.02, -0.06)):
                spot = oval(s * 0.54 + dx, 0.22 + dy - lift, 0.018, 0.018, 8)
                p.fill(spot, mix(who.skin, (30, 60, 120), 0.45), 0.1)
    draw_hair_front(p, who, head)
    draw_nose(p, who, a)
    draw_mouth(p, who, a)
    for s in (-1, 1):
        draw_eye(p, who, a, s, gaze)
        if who.glasses:
            ring = oval(s * who.eye_x, who.eye_y + 0.03, 0.32, 0.29)
            p.line(np.concatenate([ring, ring[:1]]), (52, 44, 40), 0.035, 0.2)
    if who.glasses:
        p.line(bend((-0.1, -0.12), (0, -0.17), (0.1, -0.12)), (52, 44, 40), 0.035, 0.2)
