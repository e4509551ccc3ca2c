"""`LiveScene`: the bonds of the newest step of a LAMMPS that runs in this process, as an OVITO pipeline.

In a notebook::

    from e3d_lmp.scene.live import LiveScene
    from e3d_lmp.runs.simulate import Simulation

    with Simulation("inputs/in.e3d", {"steps": "200"}, every=20, screen=False) as simulation:
        scene = LiveScene(simulation)
        simulation.run(scene)               # every 20 steps the scene is that of the step
        scene.picture()                     # shows itself below the cell

`scene.pipeline` takes OVITO's modifiers, `E3DBonds` first of all, and goes into OVITO's own notebook widget:
``ovito.gui.create_ipywidget``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import traits.api
from ovito.data import DataCollection
from ovito.pipeline import Pipeline, PipelineSourceInterface, PythonSource

from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.frames import AtomRows, Box, EdgeFrame
from e3d_lmp.edges.pairs import PairFrame, Pairing
from e3d_lmp.errors import E3DError
from e3d_lmp.runs.simulate import Simulation
from e3d_lmp.scene.camera import View
from e3d_lmp.scene.contents import set_atoms, set_bonds, set_box
from e3d_lmp.scene.modifier import E3DBonds
from e3d_lmp.scene.pictures import Look, Stage


class _NewestStep(PipelineSourceInterface):
    """Source of a pipeline: one frame, whatever was put there last."""

    newest = traits.api.Int(0)
    """Number of frames so far; OVITO asks again when it changes."""

    _frame: tuple[Box, AtomRows, tuple[str, ...], PairFrame] | None = None

    def show(self, *frame: Any) -> None:
        """Put a frame there: box, atoms, elements of the types, pairs."""
        self._frame = frame
        self.newest += 1

    def create(self, data: DataCollection, *, frame: int, **_: Any) -> None:
        if self._frame is None:
            raise E3DError("no step yet; give this scene to Simulation.run, or call it with a frame")
        box, atoms, elements, pairs = self._frame
        set_box(data, box)
        set_atoms(data, atoms, elements)
        set_bonds(data, pairs, source="the simulation")
        data.attributes["Timestep"] = pairs.step


class LiveScene:
    """Consumer of a simulation's frames that shows the newest one.

    Parameters
    ----------
    simulation
        Of one rank: the atoms of others are not here.
    cutoff
        Bond cutoff in the words of `e3d_lmp.edges.cutoffs`; the simulation's own `cutoff` limits it.
    on_step
        Called with this scene after every sampled step, to draw it, say.

    Attributes
    ----------
    pipeline : OVITO's Pipeline of one frame with bonds as `e3d_lmp.scene.contents` says, and the modifier
    bonds : the `E3DBonds` modifier, which filters and colours
    step : newest time step, None before the first

    Raises
    ------
    E3DError
        The simulation has several ranks.
    """

    def __init__(
        self,
        simulation: Simulation,
        cutoff: str = "covalent",
        on_step: Callable[[LiveScene], Any] | None = None,
    ):
        ranks = simulation.communicator.Get_size()
        if ranks > 1:
            raise E3DError(
                f"a live scene of {ranks} ranks: expected one, because the positions of the others are not "
                "here; run without mpirun, or dump edges and atoms and open them"
            )
        self.simulation = simulation
        self.step: int | None = None
        self.bonds = E3DBonds()
        self._cutoff = parse_cutoff(cutoff)
        self._on_step = on_step
        self._pairing: Pairing | None = None
        self._newest = _NewestStep()
        self.pipeline = Pipeline(source=PythonSource(delegate=self._newest))
        self.pipeline.modifiers.append(self.bonds)

    def __call__(self, frame: EdgeFrame) -> None:
        """Take over a frame of the simulation, as `Simulation.run` hands it on."""
        if self._pairing is None:
            elements = self.simulation.elements
            bond = None if self._cutoff.name == "model" else self._cutoff.matrix(elements)
            self._pairing = Pairing(elements, bond, self.simulation.model_cutoffs, skip_unpaired=True)
        pairs = self._pairing.pair(frame)
        self._newest.show(frame.box, self._atoms(), self._pairing.elements, pairs)
        self.step = frame.step
        if self._on_step is not None:
            self._on_step(self)

    def compute(self) -> DataCollection:
        """What the pipeline makes of the newest step."""
        return self.pipeline.compute()

    def picture(self, view: View | None = None, look: Look | None = None) -> Any:
        """A picture of the newest step, a QImage that notebooks show, with colours fitted to it.

        Fixed colours, for pictures to compare: set ``bonds.low`` and ``bonds.high``.
        """
        low, high = self.bonds.low, self.bonds.high
        try:
            with Stage(self.pipeline, self.bonds, [0], view, look) as stage:
                return stage.image()
        finally:
            self.bonds.low, self.bonds.high = low, high

    def _atoms(self) -> AtomRows:
        lmp = self.simulation.lmp
        count = lmp.extract_global("nlocal")
        ids, types, positions = (
            np.array(lmp.numpy.extract_atom(name))[:count] for name in ("id", "type", "x")
        )
        order = np.argsort(ids)
        kinds = types[order].astype(np.int32)
        elements = np.array(self.simulation.elements)[kinds - 1]
        return AtomRows(ids[order].astype(np.int64), kinds, elements, positions[order].astype(np.float64))
