"""From a wafer to good dies: how many fit, and how many of them work.

*How many fit.* A wafer is round and dies are rectangles, so the edge is lost. :func:`gross_dies` has the
four formulas that textbooks use; :func:`place_dies` lays real rectangles, with the streets for the saw
between them and the unusable rim, and counts.

*How many work.* Defects fall at random; a die with one on it is dead. The models of :data:`MODELS` differ
only in how evenly the defects are spread over dies and wafers. With ``x = D0 * A`` defects expected on a
die:

=====================  ==========================  =====================================================
poisson                exp(-x)                     every spot of every wafer is equally dirty
murphy                 ((1 - exp(-x)) / x)^2       density varies, as a triangle from 0 to 2 D0
negative-binomial      (1 + x / alpha)^-alpha      density varies, gamma; alpha small: strong clusters
seeds                  1 / (1 + x)                 density varies, exponential (alpha = 1)
bose-einstein          (1 + x)^-n                  n critical layers, each with a density D0 of its own
=====================  ==========================  =====================================================

The same number of defects kills fewer dies when the defects sit together, which is why the models are
ordered: poisson <= murphy <= seeds at the same ``x``. :func:`implied_d0` runs them backwards.

Units: lengths in mm, areas in mm2, defect density in defects per cm2 (the unit of the trade).

Sources: B. T. Murphy, "Cost-size optima of monolithic integrated circuits", Proc. IEEE 52 (1964); R. B.
Seeds, "Yield and cost analysis of bipolar LSI", IEDM 1967; C. H. Stapper, "Defect density distribution for
LSI yield calculations", IEEE Trans. Electron Devices 20 (1973); A. V. Ferris-Prabhu, "An algebraic
expression to count the number of chips on a wafer", IEEE Circuits and Devices 5 (1989); D. K. de Vries,
"Investigation of gross die per wafer formulas", IEEE Trans. Semiconductor Manufacturing 18 (2005); J. L.
Hennessy and D. A. Patterson, "Computer Architecture", chapter 1; M. J. Flynn, "Computer Architecture"
(1995). Taught in chapter 2.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np

#: Largest field that one exposure of today's lithography machines prints, mm.
RETICLE_MM = (26.0, 33.0)
MM2_PER_CM2 = 100.0

#: Names of the yield models; the first four from the most pessimistic at equal defects to the most
#: optimistic.
MODELS = ("poisson", "murphy", "negative-binomial", "seeds", "bose-einstein")
#: Names of the formulas for the number of dies on a wafer.
FORMULAS = ("area", "hennessy-patterson", "flynn", "ferris-prabhu", "de-vries")


def _check(name: str, value, *, zero_ok: bool = False, unit: str = "") -> np.ndarray:
    array = np.asarray(value, dtype=float)
    wrong = (array < 0) if zero_ok else (array <= 0)
    if np.any(wrong) or not np.all(np.isfinite(array)):
        wanted = "zero or more" if zero_ok else "positive"
        raise ValueError(f"{name} must be {wanted}{' ' + unit if unit else ''}, got {value!r}")
    return array


def _known(kind: str, name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.3)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no {kind} {name!r}; {hint}There are: {', '.join(names)}")


def _plain(array):
    return float(array) if np.ndim(array) == 0 else array


# --- how many fit -----------------------------------------------------------------------------------------


def gross_dies(area_mm2, diameter_mm: float = 300.0, formula: str = "de-vries"):
    """Dies on a round wafer, good and bad, by a textbook formula (not rounded).

    Parameters
    ----------
    area_mm2 : float or array
        Area of a die, mm2.
    diameter_mm : float
        Diameter of the wafer (300 for all leading fabs).
    formula : str
        "area" (wafer over die, an upper bound), "hennessy-patterson" (subtracts the rim of broken squares),
        "flynn" (a circle one die smaller), "ferris-prabhu" (the exponential form) or "de-vries" (fitted to
        exact counts).

    Raises
    ------
    ValueError
        For areas or diameters that are not positive, an unknown formula (the nearest name is suggested), or a
        die larger than the wafer.
    """
    _known("formula", formula, FORMULAS)
    area = _check("die area", area_mm2, unit="mm2")
    d = float(_check("wafer diameter", diameter_mm, unit="mm"))
    side = np.sqrt(area)
    if np.any(side >= d):
        raise ValueError(f"a die of {area_mm2!r} mm2 does not fit on a wafer {diameter_mm:g} mm across")
    full = np.pi * d**2 / (4 * area)
    count = {
        "area": lambda: full,
        "hennessy-patterson": lambda: full - np.pi * d / np.sqrt(2 * area),
        "flynn": lambda: np.pi / (4 * area) * (d - side) ** 2,
        "ferris-prabhu": lambda: full * np.exp(-2 * side / d),
        "de-vries": lambda: full - 0.58 * np.pi * d / side,
    }[formula]()
    return _plain(np.maximum(count, 0.0))


def sides(area_mm2: float, aspect: float = 1.0) -> tuple[float, float]:
    """Width and height in mm of a die of a given area, ``aspect`` being height over width."""
    area = float(_check("die area", area_mm2, unit="mm2"))
    ratio = float(_check("aspect", aspect))
    width = float(np.sqrt(area / ratio))
    return width, area / width


@dataclass(frozen=True)
class Layout:
    """Dies placed on a wafer: the corner (x, y) of each, from the wafer's centre, in mm.

    ``x0, y0`` is the origin of the grid and ``pitch`` the step (a die and one street), so that a point of the
    wafer can be told which die it is on.
    """

    width: float
    height: float
    diameter: float
    scribe: float
    edge: float
    x0: float
    y0: float
    column: np.ndarray
    row: np.ndarray

    @property
    def pitch(self) -> tuple[float, float]:
        return self.width + self.scribe, self.height + self.scribe

    @property
    def x(self) -> np.ndarray:
        return self.x0 + self.column * self.pitch[0]

    @property
    def y(self) -> np.ndarray:
        return self.y0 + self.row * self.pitch[1]

    @property
    def area(self) -> float:
        """Area of one die, mm2."""
        return self.width * self.height

    @property
    def fits_reticle(self) -> bool:
        """Whether one exposure can print the die (26 by 33 mm, either way round)."""
        small, large = sorted((self.width, self.height))
        return small <= RETICLE_MM[0] and large <= RETICLE_MM[1]

    def __len__(self) -> int:
        return len(self.column)

    def die_of(self, x, y) -> np.ndarray:
        """Index of the die under each point, -1 for streets, rim and everything off the wafer."""
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        column = np.floor((x - self.x0) / self.pitch[0])
        row = np.floor((y - self.y0) / self.pitch[1])
        in_street = (x - self.x0 - column * self.pitch[0] >= self.width) | (
            y - self.y0 - row * self.pitch[1] >= self.height
        )
        index = {(c, r): i for i, (c, r) in enumerate(zip(self.column, self.row, strict=True))}
        found = np.array(
            [index.get((int(c), int(r)), -1) for c, r in zip(column.ravel(), row.ravel(), strict=True)],
            dtype=int,
        ).reshape(column.shape)
        return np.where(in_street, -1, found)


def _grid(offset: float, pitch: float, radius: float) -> np.ndarray:
    """Whole numbers k for which a die at ``offset + k * pitch`` can touch the wafer."""
    return np.arange(np.floor((-radius - offset) / pitch), np.ceil((radius - offset) / pitch) + 1)


def place_dies(
    width_mm: float,
    height_mm: float | None = None,
    *,
    diameter_mm: float = 300.0,
    scribe_mm: float = 0.1,
    edge_mm: float = 3.0,
    offsets: int = 8,
) -> Layout:
    """Lay whole dies on a wafer in one grid and keep the grid position that fits most.

    Parameters
    ----------
    width_mm, height_mm : float
        The die; square if only the width is given.
    diameter_mm : float
        Wafer diameter.
    scribe_mm : float
        Width of the street between dies, where the saw goes.
    edge_mm : float
        Rim of the wafer where nothing works.
    offsets : int
        The grid is shifted in this many steps along each axis to look for the best place.

    Raises
    ------
    ValueError
        For sizes that are not positive, or a die that does not fit at all.
    """
    width = float(_check("die width", width_mm, unit="mm"))
    height = width if height_mm is None else float(_check("die height", height_mm, unit="mm"))
    diameter = float(_check("wafer diameter", diameter_mm, unit="mm"))
    scribe = float(_check("scribe width", scribe_mm, zero_ok=True, unit="mm"))
    edge = float(_check("edge exclusion", edge_mm, zero_ok=True, unit="mm"))
    if offsets < 1:
        raise ValueError(f"offsets must be 1 or more, got {offsets!r}")
    radius = diameter / 2 - edge
    px, py = width + scribe, height + scribe
    best = None
    for i in range(offsets):
        for j in range(offsets):
            x0, y0 = -width / 2 + i * px / offsets, -height / 2 + j * py / offsets
            columns, rows = np.meshgrid(_grid(x0, px, radius), _grid(y0, py, radius))
            x, y = x0 + columns * px, y0 + rows * py
            corner = np.maximum(abs(x), abs(x + width)) ** 2 + np.maximum(abs(y), abs(y + height)) ** 2
            whole = corner <= radius**2
            if best is None or whole.sum() > len(best[2]):
                best = (x0, y0, columns[whole].astype(int), rows[whole].astype(int))
    x0, y0, column, row = best
    if len(column) == 0:
        raise ValueError(f"no die of {width:g} x {height:g} mm fits on a wafer {diameter:g} mm across")
    return Layout(width, height, diameter, scribe, edge, x0, y0, column, row)


# --- how many work ----------------------------------------------------------------------------------------


def expected_defects(area_mm2, d0_per_cm2):
    """Killer defects expected on a die, ``x = D0 * A``. ValueError for an area or a density below zero."""
    area = _check("die area", area_mm2, unit="mm2")
    d0 = _check("defect density", d0_per_cm2, zero_ok=True, unit="defects per cm2")
    return _plain(area / MM2_PER_CM2 * d0)


def die_yield(area_mm2, d0_per_cm2, model: str = "murphy", *, alpha: float = 2.0, layers: float = 1.0):
    """Share of dies without a killer defect, between 0 and 1.

    Parameters
    ----------
    area_mm2 : float or array
        Area of the die, mm2.
    d0_per_cm2 : float or array
        Defect density, defects per cm2 (for "bose-einstein": of each critical layer).
    model : str
        One of :data:`MODELS`.
    alpha : float
        Clustering of the negative binomial; large is even, 1 is Seeds' model.
    layers : float
        Critical layers of the Bose-Einstein model.

    Raises
    ------
    ValueError
        For negative areas or densities, a parameter that is not positive, or an unknown model (the nearest
        name is suggested).
    """
    _known("yield model", model, MODELS)
    x = np.asarray(expected_defects(area_mm2, d0_per_cm2))
    a = float(_check("alpha", alpha))
    n = float(_check("layers", layers))
    if model == "poisson":
        result = np.exp(-x)
    elif model == "murphy":
        safe = np.where(x > 0, x, 1.0)
        result = np.where(x > 0, (-np.expm1(-safe) / safe) ** 2, 1.0)
    elif model == "seeds":
        result = 1 / (1 + x)
    elif model == "negative-binomial":
        result = (1 + x / a) ** -a
    else:
        result = (1 + x) ** -n
    return _plain(np.clip(result, 0.0, 1.0))


def implied_d0(yield_fraction, area_mm2, model: str = "murphy", *, alpha: float = 2.0, layers: float = 1.0):
    """Defect density that a reported yield implies: :func:`die_yield` run backwards, defects per cm2.

    Raises
    ------
    ValueError
        For a yield outside (0, 1], an area that is not positive or an unknown model.
    """
    _known("yield model", model, MODELS)
    y = np.asarray(yield_fraction, dtype=float)
    if np.any(~((y > 0) & (y <= 1))):
        raise ValueError(f"a yield is a fraction above 0 and up to 1, got {yield_fraction!r}")
    area = _check("die area", area_mm2, unit="mm2")
    a = float(_check("alpha", alpha))
    n = float(_check("layers", layers))
    if model == "poisson":
        x = -np.log(y)
    elif model == "seeds":
        x = 1 / y - 1
    elif model == "negative-binomial":
        x = a * (y ** (-1 / a) - 1)
    elif model == "bose-einstein":
        x = y ** (-1 / n) - 1
    else:
        x = _solve_murphy(y)
    return _plain(x * MM2_PER_CM2 / area)


def _solve_murphy(y: np.ndarray) -> np.ndarray:
    """Halve the interval until Murphy's yield is met; it falls steadily, so this cannot miss."""
    low, high = np.zeros_like(y), 2 / np.sqrt(y)
    for _ in range(200):
        middle = (low + high) / 2
        safe = np.where(middle > 0, middle, 1.0)
        too_good = np.where(middle > 0, (-np.expm1(-safe) / safe) ** 2, 1.0) > y
        low, high = np.where(too_good, middle, low), np.where(too_good, high, middle)
    return (low + high) / 2


def implied_d0_range(
    yields: tuple[float, float],
    area_mm2: float,
    models: tuple[str, ...] = ("poisson", "murphy", "negative-binomial", "seeds"),
    *,
    alpha: float = 2.0,
) -> tuple[float, float]:
    """Lowest and highest defect density over a range of reported yields and over the models, per cm2."""
    found = [float(implied_d0(y, area_mm2, model, alpha=alpha)) for y in yields for model in models]
    return min(found), max(found)


# --- defects thrown on a wafer ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Defects:
    """Defects on a wafer, each with the density from which on it is there.

    Raising the density only adds defects and never moves one, so that a slider shows one wafer getting
    dirtier and not a new wafer at every step.
    """

    x: np.ndarray
    y: np.ndarray
    appears_at: np.ndarray
    d0_max: float

    def present(self, d0_per_cm2: float) -> np.ndarray:
        """Mask of the defects there at a density. ValueError above the density they were drawn for."""
        d0 = float(_check("defect density", d0_per_cm2, zero_ok=True, unit="defects per cm2"))
        if d0 > self.d0_max * (1 + 1e-12):
            raise ValueError(f"defects were drawn up to {self.d0_max:g} per cm2, asked for {d0:g}")
        return self.appears_at <= d0


def throw_defects(
    d0_max: float,
    rng: np.random.Generator,
    *,
    diameter_mm: float = 300.0,
    alpha: float | None = None,
    patch_mm: tuple[float, float] = (60.0, 60.0),
    origin_mm: tuple[float, float] = (0.0, 0.0),
) -> Defects:
    """Throw defects at a wafer (and the square around it), evenly or in patches.

    Without ``alpha`` the density is the same everywhere (Poisson). With it, every patch of the wafer draws
    its own density from a gamma distribution of mean ``d0`` and shape ``alpha``, which makes the number of
    defects on a die that lies within one patch negative binomial: Stapper's model, seen from above.

    Raises
    ------
    ValueError
        For a negative density, or an alpha or a patch that is not positive.
    """
    d0 = float(_check("defect density", d0_max, zero_ok=True, unit="defects per cm2"))
    diameter = float(_check("wafer diameter", diameter_mm, unit="mm"))
    shape = None if alpha is None else float(_check("alpha", alpha))
    px, py = (float(_check("patch", side, unit="mm")) for side in patch_mm)
    radius = diameter / 2
    corners_x = origin_mm[0] + _grid(origin_mm[0], px, radius) * px
    corners_y = origin_mm[1] + _grid(origin_mm[1], py, radius) * py
    x0, y0 = (corner.ravel() for corner in np.meshgrid(corners_x, corners_y))
    weight = np.ones(len(x0)) if shape is None else rng.gamma(shape, 1 / shape, len(x0))
    count = rng.poisson(d0 * weight * px * py / MM2_PER_CM2)
    total = int(count.sum())
    return Defects(
        x=np.repeat(x0, count) + rng.random(total) * px,
        y=np.repeat(y0, count) + rng.random(total) * py,
        appears_at=rng.random(total) * d0,
        d0_max=d0,
    )


def hits_per_die(layout: Layout, defects: Defects, d0_per_cm2: float) -> np.ndarray:
    """Defects on each die of a layout at a density; a die works if its count is zero."""
    here = defects.present(d0_per_cm2)
    die = layout.die_of(defects.x[here], defects.y[here])
    return np.bincount(die[die >= 0], minlength=len(layout))


def simulate_yield(
    layout: Layout,
    d0_per_cm2: float,
    wafers: int,
    rng: np.random.Generator,
    *,
    alpha: float | None = None,
    dies_per_patch: int = 1,
) -> np.ndarray:
    """Yield of each of many simulated wafers: defects thrown, dies with none counted.

    Patches (with ``alpha``) cover ``dies_per_patch`` by ``dies_per_patch`` dies and follow the grid of dies.
    """
    if wafers < 1 or dies_per_patch < 1:
        raise ValueError("wafers and dies_per_patch must be 1 or more")
    patch = (layout.pitch[0] * dies_per_patch, layout.pitch[1] * dies_per_patch)
    yields = np.empty(wafers)
    for i in range(wafers):
        thrown = throw_defects(
            d0_per_cm2,
            rng,
            diameter_mm=layout.diameter,
            alpha=alpha,
            patch_mm=patch,
            origin_mm=(layout.x0, layout.y0),
        )
        yields[i] = np.mean(hits_per_die(layout, thrown, d0_per_cm2) == 0)
    return yields
