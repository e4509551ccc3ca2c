"""`E3DBonds`: adds bonds with D and A to any OVITO pipeline, filters and colours them.

::

    from ovito.io import import_file
    from e3d_lmp.scene.modifier import E3DBonds

    pipeline = import_file("atoms.dump")                       # any trajectory with identifiers
    pipeline.modifiers.append(E3DBonds(source="edges.dump", types="C H N O", colour_by="|A|"))

    pipeline = import_file("edges.h5")                         # the bonds are there already
    pipeline.modifiers.append(E3DBonds(pairs="C-C C-N", d_max=-2.0))
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import traits.api
from ovito.data import DataCollection
from ovito.modifiers import ColorCodingModifier
from ovito.pipeline import ModifierInterface
from ovito.traits import FilePath, OvitoObject
from ovito.vis import BondsVis, ColorLegendOverlay

from e3d_lmp.edges.cutoffs import unknown_elements
from e3d_lmp.edges.pairs import parse_labels
from e3d_lmp.errors import E3DError
from e3d_lmp.figures.colours import (
    CAPTIONS,
    QUANTITIES,
    ColourScale,
    bond_values,
    fitted_scale,
    table,
    tick_distance,
    widths,
)
from e3d_lmp.scene.bond_source import BondSource
from e3d_lmp.scene.contents import BOND_WIDTH, filter_bonds, set_bonds

NONE = "none"


class E3DBonds(ModifierInterface):
    """Bonds of an edge store or a local dump, for the particles that come down the pipeline.

    The frame is that of the pipeline's time step; without one, the frame of the same number.

    Attributes
    ----------
    source : edge store or local dump; empty where the bonds are there already, read by `E3DReader`
    types : element of each LAMMPS type, blanks between; empty: from the file or the names of particle types
    cutoff : bond cutoff in the words of `e3d_lmp.edges.cutoffs`, for bonds of the source
    bond_orders : whether RDKit perceives the orders of bonds of the source
    pairs : pair labels that are kept, blanks between, e.g. ``C-H C-C``; empty: all
    d_min, d_max : eV, bonds with D outside are deleted
    colour_by, width_by : ``D``, ``|A|`` or ``none``
    low, high : eV, the ends of the colour scale; where both are 0, they are fitted to each frame
    width : angstrom, of the bonds, or of the widest one
    vis : OVITO's visual element of the bonds that this modifier adds
    """

    source = FilePath("", label="Edge store or local dump")
    types = traits.api.Str("", label="Elements of types")
    cutoff = traits.api.Str("covalent", label="Bond cutoff")
    bond_orders = traits.api.Bool(False, label="Bond orders (RDKit)")
    pairs = traits.api.Str("", label="Pairs")
    d_min = traits.api.Float(-1000.0, label="D from (eV)")
    d_max = traits.api.Float(1000.0, label="D to (eV)")
    colour_by = traits.api.Enum("D", "|A|", NONE, label="Colour by")
    low = traits.api.Float(0.0, label="Lowest colour (eV)")
    high = traits.api.Float(0.0, label="Highest colour (eV)")
    width = traits.api.Float(BOND_WIDTH, label="Width")
    width_by = traits.api.Enum(NONE, "D", "|A|", label="Width by")
    vis = OvitoObject(BondsVis, width=BOND_WIDTH)

    _opened = traits.api.Any(transient=True)
    _request = traits.api.Any(transient=True)

    def modify(self, data: DataCollection, *, frame: int, **_: Any) -> None:
        """Add, filter and colour the bonds of a frame; particles get ``Half Sum D`` and ``Sum Abs A``.

        Raises
        ------
        E3DError
            As `BondSource` and `set_bonds` do; there are no bonds with D; an unknown pair label.
        """
        if self.source:
            self._add(data, frame)
        bonds = data.particles.bonds if data.particles is not None else None
        if bonds is None or "D" not in bonds or "A" not in bonds:
            raise E3DError("there are no bonds with D and A; set 'source' to an edge store or a local dump")
        filter_bonds(data, self._kept(bonds))
        self._paint(data)

    def scale(self, D: np.ndarray, A: np.ndarray) -> ColourScale:
        """The colour scale of bonds with these D and A, (B,) eV."""
        if self.low or self.high:
            return ColourScale(self.colour_by, self.low, self.high)
        return fitted_scale(self.colour_by, [bond_values(self.colour_by, D, A)])

    def legend(self, **settings: Any) -> ColorLegendOverlay:
        """A colour bar for `Viewport.overlays`; needs fixed `low` and `high`, and shows their colours.

        Parameters
        ----------
        settings
            Of OVITO's ColorLegendOverlay.
        """
        if self.colour_by not in QUANTITIES:
            raise E3DError("a legend needs colours; set colour_by to D or |A|")
        if not self.low < self.high:
            raise E3DError("a legend needs fixed ends of the colours; set low and high, e.g. low=-9, high=0")
        words = {
            "caption": CAPTIONS[self.colour_by],
            "ticks_enabled": True,
            "ticks_spacing": tick_distance(self.high - self.low),
            "border_enabled": True,
            **settings,
        }
        return ColorLegendOverlay(modifier=self._coding(), **words)

    def _coding(self) -> ColorCodingModifier:
        """OVITO's own modifier with the same colours, which its legend can show."""
        gradient = ColorCodingModifier.Gradient(table(self.colour_by))
        return ColorCodingModifier(
            operate_on="bonds", property="D", gradient=gradient, start_value=self.low, end_value=self.high
        )

    def _add(self, data: DataCollection, frame: int) -> None:
        source = self._open(data)
        k = frame
        if "Timestep" in data.attributes:
            k = source.frame_of(int(data.attributes["Timestep"]))
        elif k >= len(source):
            raise E3DError(f"{self.source}: frame {frame} of {len(source)}; expected as many frames as atoms")
        had_bonds = data.particles is not None and data.particles.bonds is not None
        set_bonds(data, source.pairs(k)[1], self.bond_orders, self.source)
        data.attributes["E3D.cutoff"] = source.cutoff
        if not had_bonds:
            data.particles_.bonds_.vis = self.vis

    def _open(self, data: DataCollection) -> BondSource:
        elements = self.types.split() or _elements_of(data)
        state = os.stat(self.source) if os.path.exists(self.source) else None
        stamp = None if state is None else (state.st_mtime_ns, state.st_size)
        request = (self.source, stamp, self.cutoff, tuple(elements))
        if self._opened is None or self._request != request:
            self._opened = BondSource(self.source, self.cutoff, elements=elements)
            self._request = request
        return self._opened

    def _kept(self, bonds: Any) -> np.ndarray:
        D = np.asarray(bonds["D"])
        keep = (self.d_min <= D) & (self.d_max >= D)
        if self.pairs.strip():
            names = {each.id: each.name for each in bonds.bond_types.types}
            elements = sorted({symbol for name in names.values() for symbol in name.split("-")})
            wanted = set(parse_labels(self.pairs.replace(",", " ").split(), elements))
            kinds = [kind for kind, name in names.items() if name in wanted]
            keep &= np.isin(np.asarray(bonds.bond_types), kinds)
        return keep

    def _paint(self, data: DataCollection) -> None:
        bonds = data.particles_.bonds_
        D, A = np.asarray(bonds["D"]), np.asarray(bonds["A"])
        bonds.vis.width = self.width
        if self.colour_by != NONE:
            scale = self.scale(D, A)
            bonds.create_property("Color", data=scale.colours(bond_values(self.colour_by, D, A)))
            data.attributes["E3D.low"], data.attributes["E3D.high"] = scale.low, scale.high
        if self.width_by != NONE:
            fitted = fitted_scale(self.width_by, [bond_values(self.width_by, D, A)])
            ends = (self.low, self.high) if self.low < self.high and self.width_by == self.colour_by else None
            low, high = ends or (fitted.low, fitted.high)
            bonds.create_property("Width", data=widths(self.width_by, D, A, low, high, self.width))


def _elements_of(data: DataCollection) -> tuple[str, ...]:
    """Names of the particle types 1, 2, ... where all of them are chemical elements; else nothing."""
    kinds = data.particles.particle_types if data.particles is not None else None
    if kinds is None:
        return ()
    names = {each.id: each.name for each in kinds.types}
    found = tuple(names.get(kind, "") for kind in range(1, max(names, default=0) + 1))
    return () if unknown_elements(found) else found
